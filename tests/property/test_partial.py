"""Batches with failed entries: every entry is executed or reported as failed, and never both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inside.faults.partial import BATCHES

counts = st.integers(1, 12)
failing = st.sets(st.integers(0, 11))


def split(count, failed):
    failed = sorted(n for n in failed if n < count)
    return failed, [n for n in range(count) if n not in failed]


@pytest.mark.parametrize(
    ("operation", "request_key", "answer_key", "count_key"),
    [
        (("kinesis", "PutRecords"), "Records", "Records", "FailedRecordCount"),
        (("events", "PutEvents"), "Entries", "Entries", "FailedEntryCount"),
        (("firehose", "PutRecordBatch"), "Records", "RequestResponses", "FailedPutCount"),
    ],
)
@given(counts, failing)
def test_answers_in_the_order_of_the_request(operation, request_key, answer_key, count_key, count, failed):
    batch = BATCHES[operation]
    failed, others = split(count, failed)
    request = {request_key: [f"entry {n}" for n in range(count)], "more": 1}
    executed = batch.only(request, others)[request_key]
    assert executed == [f"entry {n}" for n in others]
    answer = {answer_key: [{"Id": entry} for entry in executed], count_key: 0} if others else None
    merged = batch.merged(request, answer, failed)
    assert merged[count_key] == len(failed)
    assert [n for n, result in enumerate(merged[answer_key]) if "ErrorCode" in result] == failed
    assert [merged[answer_key][n]["Id"] for n in others] == executed


@pytest.mark.parametrize(
    ("operation", "request_key"),
    [
        (("sqs", "SendMessageBatch"), "Entries"),
        (("sqs", "DeleteMessageBatch"), "Entries"),
        (("sns", "PublishBatch"), "PublishBatchRequestEntries"),
    ],
)
@given(counts, failing)
def test_answers_by_id(operation, request_key, count, failed):
    batch = BATCHES[operation]
    failed, others = split(count, failed)
    request = {request_key: [{"Id": str(n)} for n in range(count)]}
    executed = batch.only(request, others)[request_key]
    answer = {"Successful": [{"Id": entry["Id"]} for entry in executed]} if others else None
    merged = batch.merged(request, answer, failed)
    ids = [entry["Id"] for entry in [*merged["Successful"], *merged["Failed"]]]
    assert sorted(ids, key=int) == [str(n) for n in range(count)]
    assert [entry["Id"] for entry in merged["Failed"]] == [str(n) for n in failed]


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=12), failing)
def test_unprocessed_items_and_keys_are_those_that_were_not_executed(tables, failed):
    failed, others = split(len(tables), failed)
    by_table = {table: [n for n, t in enumerate(tables) if t == table] for table in tables}
    for operation, request, left in (
        (("dynamodb", "BatchWriteItem"), {"RequestItems": by_table}, "UnprocessedItems"),
        (
            ("dynamodb", "BatchGetItem"),
            {"RequestItems": {t: {"Keys": keys, "ConsistentRead": True} for t, keys in by_table.items()}},
            "UnprocessedKeys",
        ),
    ):
        batch = BATCHES[operation]
        entries = [n for _, n in batch.entries(request)]
        merged = batch.merged(request, {left: {}}, failed)
        executed = [n for _, n in batch.entries(batch.only(request, others))]
        unprocessed = [n for _, n in batch.entries({"RequestItems": merged[left]})]
        assert sorted(executed + unprocessed) == sorted(entries)
        assert set(unprocessed) == {entries[n] for n in failed}
