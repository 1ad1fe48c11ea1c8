"""The points of a run: who calls what how often, and how many calls an invocation makes."""

from __future__ import annotations

import json

import pytest

from harness.errors import UsageError
from harness.explore.points import Point, points
from tests.unit.report.runs import STORED, left_run

CALL = {
    "kind": "call",
    "at_ms": 1,
    "name": "made-store",
    "invocation": "i-1",
    "call": "s3.PutObject",
    "status": 200,
    "error": None,
    "put": None,
}


def test_calls_are_counted_by_who_makes_them(tmp_path):
    entries = [
        {**CALL, "id": "c-1", "carried": ""},
        {**CALL, "id": "c-2", "call": "sqs.SendMessageBatch", "carried": ""},
        {
            "kind": "invocation",
            "at_ms": 2,
            "id": "i-1",
            "name": "made-store",
            "error": None,
            "took_ms": 1,
            "log": "",
            "carried": "",
        },
        {**CALL, "id": "c-3", "invocation": "i-2", "carried": ""},
        {
            "kind": "invocation",
            "at_ms": 2,
            "id": "i-2",
            "name": "made-store",
            "error": None,
            "took_ms": 1,
            "log": "",
            "carried": "",
        },
        {**CALL, "id": "c-4", "name": "harness", "invocation": "", "call": "kinesis.PutRecords", "carried": ""},
        {**CALL, "id": "c-5", "name": "localstack", "invocation": "", "call": "kms.Decrypt", "carried": ""},
    ]
    left_run(tmp_path, [STORED], entries)
    found = points(tmp_path)
    assert found == [
        Point("Store", "", 2, 2), Point("Store", "s3.PutObject", 2), Point("Store", "sqs.SendMessageBatch", 1), Point("harness", "kinesis.PutRecords", 1),
    ]  # fmt: skip
    assert [point.is_partial for point in found] == [False, False, True, True]
    assert found[0].address == {"function": "Store"}
    assert found[1].address == {"service": "s3", "operation": "PutObject", "caller": "Store"}


def test_a_run_without_a_journal_has_none(tmp_path):
    left_run(tmp_path, [STORED])
    with pytest.raises(UsageError, match="has no journal"):
        points(tmp_path)


def test_calls_are_told_apart_by_the_resource_of_the_template_that_they_name(tmp_path):
    carried = [
        {"TableName": "made-store"},
        {"RequestItems": {"made-store": []}},
        {"TableName": "arn:aws:x:made-store"},
        {"TableName": "other"},
        {"Name": "/a/made-store"},
    ]
    entries = [{**CALL, "id": f"c-{n}", "call": "dynamodb.PutItem", "carried": json.dumps(one)} for n, one in enumerate(carried)]
    left_run(tmp_path, [STORED], [*entries, {**CALL, "id": "c-9", "carried": '{"cut'}])
    assert points(tmp_path, {"Store"}) == [
        Point("Store", "dynamodb.PutItem", 1), Point("Store", "dynamodb.PutItem", 4, resource="Store"), Point("Store", "s3.PutObject", 1),
    ]  # fmt: skip
    assert {point.resource for point in points(tmp_path)} == {""}


def test_a_state_machine_calls_as_localstack(tmp_path):
    left_run(tmp_path, [STORED], [{**CALL, "id": "c-1", "name": "a state machine", "call": "sns.Publish", "carried": "{}"}])
    (found,) = points(tmp_path)
    assert found.address == {"service": "sns", "operation": "Publish", "caller": "localstack"}


def invocation(name, *, of, error=None):
    carried = of if isinstance(of, str) else json.dumps({"Records": [{"messageId": one} for one in of]})
    return {
        "kind": "invocation", "at_ms": 2, "id": name, "name": "made-store", "error": error, "took_ms": 1, "log": "", "carried": carried,
    }  # fmt: skip


def behind(tmp_path, entries, *met):
    firings = [{"request_id": one} for one in met]
    left_run(tmp_path, [STORED], entries, {"plan": [], "fired": [{"id": "fault", "seen": 9, "firings": firings}]})
    return {point.call: point.behind for point in points(tmp_path) if point.call}


PUT, SEND = "s3.PutObject", "sqs.SendMessageBatch"


def calls(invocation, *those):
    return [{**CALL, "id": name, "invocation": invocation, "call": call, "carried": ""} for name, call in those]


def test_of_each_point_is_known_which_call_comes_behind_a_fault_where_it_met_one_and_where_that_is_repeated(tmp_path):
    entries = [
        *calls("i-1", ("c-1", PUT)),
        invocation("i-1", of=["a"]),
        *calls("i-2", ("c-2", PUT), ("c-3", PUT), ("c-4", SEND)),
        invocation("i-2", of=["b", "c"], error="Refused"),
        *calls("i-3", ("c-5", PUT), ("c-6", SEND)),
        invocation("i-3", of=["d"]),
        *calls("i-4", ("c-7", PUT), ("c-8", SEND)),
        invocation("i-4", of=["c"]),
    ]
    assert behind(tmp_path, entries, "c-2") == {PUT: ("after", "repeats"), SEND: ("after", "repeats")}
    assert behind(tmp_path, entries, "c-2", "c-3") == {PUT: ("repeats",), SEND: ("after", "repeats")}
    assert behind(tmp_path, entries, "c-2", "c-3", "c-4") == {PUT: ("repeats",), SEND: ("repeats",)}
    assert behind(tmp_path, entries, "i-2") == {PUT: ("repeats",), SEND: ("repeats",)}
    # The repetition is one also where a fault meets it, too.
    assert behind(tmp_path, entries, "c-2", "c-7") == {PUT: ("after",), SEND: ("after", "repeats")}
    assert behind(tmp_path, entries, "i-4") == behind(tmp_path, entries, "c-8") == behind(tmp_path, entries) == {PUT: (), SEND: ()}


def test_what_begins_once_the_faults_have_ended_does_not_count(tmp_path):
    """No second fault could meet it. What it is stays known: a stack that it has changed may serve no other schedule."""
    late = [{**entry, "at_ms": 9, "began_ms": 6} for entry in calls("i-2", ("c-3", PUT), ("c-4", SEND))]
    entries = [*calls("i-1", ("c-1", PUT)), *calls("i-1", ("c-2", PUT)), invocation("i-1", of=["a"], error="Refused"), *late]
    entries.append({**invocation("i-2", of=["a"]), "began_ms": 6})
    for ended, count, sent, behind in ((5, 2, 0, ("after",)), (None, 3, 1, ("after", "repeats"))):
        faults = {"plan": [], "fired": [{"id": "fault", "seen": 9, "firings": [{"request_id": "c-1"}]}], "ended_ms": ended}
        left_run(tmp_path / f"{ended}", [STORED], entries, faults)
        found = {point.call: point for point in points(tmp_path / f"{ended}")}
        assert (found[""].count, found[PUT].count, found[SEND].count, found[PUT].behind) == (1 + sent, count, sent, behind)


def test_an_invocation_that_is_tried_again_may_keep_its_id(tmp_path):
    entries = [
        *calls("i-1", ("c-1", PUT)),
        invocation("i-1", of="event", error="Refused"),
        *calls("i-1", ("c-2", PUT)),
        invocation("i-1", of="event"),
    ]
    assert behind(tmp_path, entries, "c-1") == behind(tmp_path, entries, "i-1") == {PUT: ("repeats",)}


@pytest.mark.parametrize(
    "event", ['{"key": "value"}', '{"Records": [{"s3": {}}]}', '[{"x": 1}]', "no JSON", '{"Records": [7]}', '{"Records": null}']
)
def test_an_event_without_items_is_known_again_as_a_whole(tmp_path, event):
    entries = [invocation("i-1", of=event, error="Refused")]
    entries += [*calls("i-2", ("c-1", SEND)), invocation("i-2", of=["other"])]
    entries += [*calls("i-3", ("c-2", PUT)), invocation("i-3", of=event)]
    assert behind(tmp_path, entries, "i-1") == {PUT: ("repeats",), SEND: ()}


@pytest.mark.parametrize("item", [{"eventID": "shard:1"}, {"Sns": {"MessageId": "1"}}])
def test_items_of_streams_and_topics_are_known_again(tmp_path, item):
    first, again = (json.dumps({"Records": [item, *more]}) for more in ([], [{"messageId": "other"}]))
    entries = [invocation("i-1", of=first, error="Refused"), *calls("i-2", ("c-1", PUT)), invocation("i-2", of=again)]
    assert behind(tmp_path, entries, "i-1") == {PUT: ("repeats",)}


def test_another_function_with_the_same_items_repeats_nothing(tmp_path):
    failed = {**invocation("i-1", of=["a"], error="Refused"), "name": "made-other"}
    entries = [failed, *calls("i-2", ("c-1", PUT)), invocation("i-2", of=["a"])]
    assert behind(tmp_path, entries, "i-1") == {PUT: ()}


def test_nothing_is_behind_the_call_of_a_state_machine(tmp_path):
    entries = [{**CALL, "id": f"c-{n}", "name": "a state machine", "invocation": "", "call": SEND, "carried": ""} for n in range(2)]
    assert behind(tmp_path, entries, "c-0") == {SEND: ()}
