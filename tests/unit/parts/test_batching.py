"""Batches: within the limits, every record answered once, refused ones sent again alone, and nothing doubled."""

from __future__ import annotations

from collections import Counter

import pytest
from botocore.exceptions import ClientError, ParamValidationError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from harness.accounting.record import Answer, Record, Status
from harness.parts.batching import BatchSender, Limits

LIMITS = Limits(records=4, batch_bytes=40, record_bytes=20)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)


def refusal(code, status):
    return ClientError({"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Put")


def size(record):
    return len(record.payload)


def records(sizes):
    return [Record(f"id-{number}", b"x" * length, b"{}") for number, length in enumerate(sizes)]


@given(st.lists(st.integers(0, 30), max_size=20), st.data())
def test_every_record_is_answered_once_and_taken_at_most_once_whatever_is_refused(sizes, data):
    """The service refuses what is too large, and other entries as it likes."""
    taken = Counter()

    def put(batch, offered_at_ms):
        assert len(batch) <= LIMITS.records
        if any(size(record) > LIMITS.record_bytes for record in batch):
            raise refusal("ValidationException", 400)
        assert sum(map(size, batch)) <= LIMITS.batch_bytes
        results = []
        for record in batch:
            if data.draw(st.integers(0, 3)) == 0:
                results.append("refused for now")
            else:
                taken[record.record_id] += 1
                results.append(Answer(Status.ACKED, offered_at_ms))
        return results

    offered = records(sizes)
    answered = list(BatchSender(put, LIMITS, size).send(offered))
    assert [record for record, _ in answered] == offered
    assert max(taken.values(), default=0) <= 1
    for record, answer in answered:
        assert (answer.status is Status.ACKED) == (taken[record.record_id] == 1)
        assert answer.status is Status.ACKED or size(record) > LIMITS.record_bytes or "refused for now" in answer.detail


@pytest.mark.parametrize(
    ("error", "status", "calls"),
    [
        (refusal("ThrottlingException", 400), Status.REJECTED, 12),
        (refusal("InternalFailure", 500), Status.INDETERMINATE, 1),
        (refusal("ValidationException", 400), Status.REJECTED, 1),
        (ReadTimeoutError(endpoint_url="x"), Status.INDETERMINATE, 1),
    ],
)
def test_an_error_that_leaves_open_whether_the_record_was_taken_is_not_tried_again(error, status, calls):
    made = []

    def put(batch, _):
        made.append(len(batch))
        raise error

    ((_, answer),) = BatchSender(put, LIMITS, size).send(records([1]))
    assert (answer.status, len(made)) == (status, calls)


@pytest.mark.parametrize(
    "error", [refusal("ValidationException", 400), ParamValidationError(report="an empty partition key")], ids=["service", "client"]
)
def test_one_record_that_is_to_blame_is_found_and_rejected_alone(error):
    def put(batch, offered_at_ms):
        if any(record.record_id == "id-2" for record in batch):
            raise error
        return [Answer(Status.ACKED, offered_at_ms)] * len(batch)

    answered = list(BatchSender(put, LIMITS, size).send(records([1] * 4)))
    assert [record.record_id for record, answer in answered if answer.status is Status.REJECTED] == ["id-2"]
