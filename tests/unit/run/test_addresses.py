"""From what a run has met to what its replay is to meet."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults.carried import digest, holds, text_of_event
from harness.faults.plan import load, named
from harness.run.addresses import Records, by_content
from harness.run.order import batches, writes


def invocation(request_id, carried, *, name="Function", at_ms=0, error=None, kind="invocation"):
    text = carried if isinstance(carried, str) else json.dumps(carried)
    return {"kind": kind, "id": request_id, "name": name, "at_ms": at_ms, "error": error, "carried": text}


def call(request_id, carried, *, name="Function", at_ms=0, of="dynamodb.PutItem", within=""):
    text = json.dumps(carried)
    return {"kind": "call", "id": request_id, "name": name, "at_ms": at_ms, "call": of, "invocation": within, "carried": text}


def stream_event(*payloads, first=100, shard="shardId-000000000000"):
    return {
        "Records": [
            {
                "eventID": f"{shard}:{first + number}",
                "eventSource": "aws:kinesis",
                "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/Stream",
                "kinesis": {"sequenceNumber": str(first + number), "data": base64.b64encode(payload.encode()).decode()},
            }
            for number, payload in enumerate(payloads)
        ]
    }


def rewritten(fault, firings, journal, ids):
    plan = named(load([fault]), 1)
    log = [{"id": plan[0].id, "seen": 9, "firings": firings}]
    return by_content(plan, log, lambda: journal, Records(ids))


FAILS = {"kind": "lambda_error_before", "function": "Function", "invocations": "2-3"}
THROTTLED = {"kind": "throttle", "service": "dynamodb", "operation": "PutItem", "caller": "Function", "calls": "2"}


def test_an_invocation_is_addressed_by_its_first_record_and_a_retry_by_its_number_among_those():
    journal = [
        invocation("r1", stream_event('{"id": "order-1"}')),
        invocation("r2", stream_event('{"id": "order-2"}', '{"id": "order-3"}'), at_ms=20),
        invocation("r3", stream_event('{"id": "order-2"}', '{"id": "order-3"}'), at_ms=30),
    ]
    firings = [{"event": 2, "at_ms": 19, "request_id": "r2"}, {"event": 3, "at_ms": 29, "request_id": "r3"}]
    first, second = rewritten(FAILS, firings, journal, ["order-1", "order-2", "order-3"])
    assert (first.carrying, first.invocations) == (("order-2",), "1")
    assert (second.carrying, second.invocations) == (("order-2",), "2")
    assert {first.whole, second.whole} == {"lambda_error_before-1"}
    assert first.id != second.id


def test_a_call_that_is_addressed_by_its_record_comes_after_no_other_fault():
    journal = [call("c1", {"Item": {"id": {"S": "order-1"}}}, within="i1"), call("c2", {"Key": "object"}, within="i2", at_ms=9)]
    fault = {**THROTTLED, "repeats": "first"}
    (by_record,) = rewritten(fault, [{"event": 1, "at_ms": 0, "request_id": "c1"}], journal, ["order-1"])
    assert (by_record.carrying, by_record.repeats) == (("order-1",), None)
    (by_number,) = rewritten(fault, [{"event": 2, "at_ms": 9, "request_id": "c2"}], journal, ["order-1"])
    assert (by_number.calls, by_number.repeats) == ("2", "first")


def test_a_call_is_addressed_by_its_record_else_by_what_its_invocation_carries():
    journal = [
        call("c1", {"Item": {"id": {"S": "order-1"}}}, within="i1"),
        call("c2", {"Key": "object"}, within="i1", at_ms=5),
        invocation("i1", {"chunk": 3}),
        call("c3", {"Key": "object"}, within="i2", at_ms=9),
        invocation("i2", {"chunk": 4}),
    ]
    (fault,) = rewritten(THROTTLED, [{"event": 1, "at_ms": 0, "request_id": "c1"}], journal, ["order-1"])
    assert (fault.carrying, fault.during, fault.calls) == (("order-1",), (), "1")
    (fault,) = rewritten(THROTTLED, [{"event": 3, "at_ms": 9, "request_id": "c3"}], journal, ["order-1"])
    assert (fault.carrying, fault.during, fault.calls) == ((), ('"chunk": 4',), "1")
    (fault,) = rewritten(THROTTLED, [{"event": 2, "at_ms": 5, "request_id": "c2"}], journal, ["order-1"])
    assert (fault.during, fault.calls) == (('"chunk": 3',), "2"), "the second PutItem of that invocation"


def test_what_carries_nothing_that_tells_it_from_others_keeps_its_number():
    journal = [invocation("r1", {"same": 1}), invocation("r2", {"same": 1}, at_ms=20)]
    (fault,) = rewritten(FAILS, [{"event": 2, "at_ms": 19, "request_id": "r2"}], journal, ["order-1"])
    assert (fault.carrying, fault.invocations) == ((), "2")


@pytest.mark.parametrize(
    "value",
    ['"2026-11-25T01:02:03Z"', '"AaIP65BmDAVsICFyPkP2Jt"', "1795564197930", '"orders-45a5ef574cf437d7"', '"localhost:43693"'],
)
def test_what_is_drawn_anew_in_each_run_is_no_address(value):
    journal = [
        invocation("r1", f'{{"at": {value}, "chunk": 1}}'),
        invocation("r2", f'{{"at": {value.replace("1", "2")}, "chunk": 2}}', at_ms=9),
    ]
    (fault,) = rewritten(FAILS, [{"event": 2, "at_ms": 9, "request_id": "r2"}], journal, [])
    assert fault.carrying == ('"chunk": 2',)


def test_inits_and_throttled_invocations_count_apart_from_those_that_reach_the_function():
    journal = [
        invocation("r1", {"id": "order-1"}, kind="init"),
        invocation("r1", {"id": "order-1"}, at_ms=2, error="TooManyRequestsException"),
        invocation("r2", {"id": "order-1"}, kind="init", at_ms=3),
        invocation("r2", {"id": "order-1"}, at_ms=4),
    ]
    firing = [{"event": 2, "at_ms": 3, "request_id": "r2"}]
    (fault,) = rewritten({"kind": "lambda_init", "function": "Function"}, firing, journal, ["order-1"])
    assert (fault.carrying, fault.invocations) == (("order-1",), "2")
    (fault,) = rewritten(FAILS, [{"event": 2, "at_ms": 4, "request_id": "r2"}], journal, ["order-1"])
    assert fault.invocations == "1"


def test_a_fault_that_met_nothing_stays_as_it_was():
    plan = named(load([FAILS, {"kind": "record", "malform": "late", "records": "3"}]), 1)
    assert by_content(plan, [{"id": plan[0].id, "seen": 1, "firings": []}], list, Records([])) == plan


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.data())
def test_batches_are_those_that_were_first_delivered_whatever_was_delivered_again(sizes, data):
    journal, expected, at = [], [], 0
    for size in sizes:
        payloads = [f"record {at + number}" for number in range(size)]
        expected.append([digest(payload.encode()) for payload in payloads])
        journal.append(invocation(f"i{at}", stream_event(*payloads, first=at)))
        for _ in range(data.draw(st.integers(0, 2))):
            part = data.draw(st.integers(0, size - 1))
            journal.append(invocation(f"i{at}", stream_event(*payloads[part:], first=at + part)))
        at += size
    (found,) = batches(journal)
    assert found == {"stream": "Stream", "shard": "shardId-000000000000", "function": "Function", "batches": expected}


def test_a_text_is_found_only_as_a_whole_name_or_number():
    text = text_of_event(json.dumps(stream_event('{"id": "order-12", "chunk": 4}')).encode())
    assert holds(text, ["order-12", '"chunk": 4'])
    for part in ("order-1", "rder-12", "12-order", "order-1", '"chunk": 40'):
        assert not holds(text, [part]), part
    assert not holds('{"chunk": 40}', ['"chunk": 4'])
    assert not holds("pre-order-12", ["order-12"])


def test_own_texts_of_a_fault_count_too():
    journal = [
        call("c1", {"ids": ["aaaa-0001"]}, within="i1"),
        call("c2", {"ids": ["aaaa-0001", "bbbb-0002"]}, within="i1", at_ms=2),
        call("c3", {"ids": ["aaaa-0001", "bbbb-0002"]}, within="i1", at_ms=3),
    ]
    own = {**THROTTLED, "carrying": "bbbb-0002", "calls": "2"}
    (fault,) = rewritten(own, [{"event": 2, "at_ms": 3, "request_id": "c3"}], journal, ["aaaa-0001", "bbbb-0002"])
    assert (set(fault.carrying), fault.calls) == ({"aaaa-0001", "bbbb-0002"}, "2")


def test_events_count_in_the_order_in_which_they_began():
    # The first call hung, and was tried again before it ended.
    journal = [
        {**call("c2", {"id": "order-1"}, at_ms=20), "began_ms": 10},
        {**call("c1", {"id": "order-1"}, at_ms=30), "began_ms": 1},
    ]
    (fault,) = rewritten({**THROTTLED, "calls": "1"}, [{"event": 1, "at_ms": 30, "request_id": "c1"}], journal, ["order-1"])
    assert (fault.carrying, fault.calls) == (("order-1",), "1")


def test_a_replay_of_a_replay_has_the_same_address():
    journal = [invocation("r1", {"id": "order-1"}), invocation("r2", {"id": "order-1"}, at_ms=9)]
    firings = [{"event": 2, "at_ms": 9, "request_id": "r2"}]
    (first,) = rewritten(FAILS, firings, journal, ["order-1"])
    log = [{"id": first.id, "seen": 2, "firings": firings}]
    assert by_content((first,), log, lambda: journal, Records(["order-1"])) == (first,)


def test_ids_of_several_parts_are_found_by_all_of_them_and_without_reading_every_id():
    ids = [f"s{number:05d}/Algebra" for number in range(20_000)]
    records = Records([*ids, "input/orders +1.csv/12", "12/3"])
    assert records.first_in('{"student": "s00042", "course": "Algebra"}') == ("s00042", "Algebra")
    assert records.first_in('{"course": "Algebra", "student": "another"}') == ()
    assert records.first_in("row 12 of input/orders +1.csv") == ("input", "orders +1.csv", "12")
    assert records.first_in("row 13 of input/orders +1.csv") == ()
    assert records.first_in("12 3") == (), "too short to be told from other numbers"


@pytest.mark.parametrize(
    ("carried", "wanted"),
    [
        ({"body": "id,x\nr00-0000001,5"}, "r00-0000001"),
        ({"id": "größe-日本-12 😀"}, "größe-日本-12"),
        ({"Records": [{"body": json.dumps({"chunk": 4})}]}, '"chunk": 4'),
        ({"text": 'the "first" one 4'}, 'the "first" one 4'),
        ({"data": base64.b64encode(b"a,b\nd4e5f6,6").decode()}, "d4e5f6"),
    ],
)
def test_a_text_is_found_as_it_is_meant_whatever_escapes_stand_around_it(carried, wanted):
    assert holds(text_of_event(json.dumps(carried)), [wanted])


@pytest.mark.parametrize(
    ("text", "wanted"), [('{"price": 42.5}', '"price": 42'), ('{"price": 3.42}', "42"), ("142", "42"), ("x_42", "42")]
)
def test_a_number_is_not_found_in_another_one(text, wanted):
    assert not holds(text, [wanted])


def put(place, within, status=200, at_ms=0):
    return {**call("c", {}, of="s3.PutObject", within=within, at_ms=at_ms), "put": place, "status": status}


def test_the_order_of_writes_is_that_of_objects_that_several_invocations_have_written():
    journal = [
        put("bucket/shared", "i2"),
        put("bucket/shared", "i1", status=503),
        put("bucket/own", "i1"),
        put("bucket/shared", "i1"),
        put("bucket/without-records", "i1"),
        put("bucket/without-records", "i3"),
        invocation("i1", {"id": "order-1"}),
        invocation("i2", {"id": "order-2"}),
        invocation("i3", {"chunk": 1}),
    ]
    found = writes(lambda: journal, Records(["order-1", "order-2"]))
    assert found == [{"place": "bucket/shared", "writes": [("order-2",), ("order-1",)]}]


@pytest.mark.parametrize(
    ("calls", "numbers"),
    [("2-1000", ["1-1000000000"]), ("2-3", ["1", "2"]), ("every 2", ["1", "2"])],
    ids=["goes on", "has ended", "some of them"],
)
def test_a_fault_that_would_have_met_more_meets_all_that_come_of_the_same_record(calls, numbers):
    """How often a record is tried again may differ by one in the next run."""
    journal = [call(f"c{n}", {"Item": {"id": {"S": "order-2" if n > 1 else "order-1"}}}, at_ms=n) for n in (1, 2, 3)]
    plan = named(load([{**THROTTLED, "calls": calls}]), 1)
    firings = [{"event": n, "at_ms": n, "request_id": f"c{n}"} for n in (2, 3)]
    log = [{"id": plan[0].id, "seen": 3, "firings": firings}]
    found = by_content(plan, log, lambda: journal, Records(["order-1", "order-2"]))
    assert [(fault.carrying, fault.calls) for fault in found] == [(("order-2",), number) for number in numbers]


def test_a_fault_that_has_let_one_event_of_a_record_pass_meets_those_that_it_met():
    journal = [call(f"c{n}", {"Item": {"id": {"S": "order-1"}}}, at_ms=n) for n in (1, 2, 3)]
    plan = named(load([{**THROTTLED, "calls": "1, 3-1000"}]), 1)
    log = [{"id": plan[0].id, "seen": 3, "firings": [{"event": n, "at_ms": n, "request_id": f"c{n}"} for n in (1, 3)]}]
    found = by_content(plan, log, lambda: journal, Records(["order-1"]))
    assert [fault.calls for fault in found] == ["1", "3-1000000000"]
