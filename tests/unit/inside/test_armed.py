"""The arithmetic of armed faults: a fault meets as many events as its window has, also where others take some of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults.plan import load, named
from harness.inside.callers import Caller
from harness.inside.faults.armed import Armed
from harness.inside.lambda_.injected import Injection

WINDOWS = st.sampled_from(["1", "2-4", "every 3", "every 2 in 3-9", "1, 5-6", "2 mod 5"])


def armed(*faults):
    return Armed(named(load(list(faults)), 1), "run")


@given(WINDOWS, st.lists(st.booleans(), max_size=30))
def test_what_another_fault_takes_is_made_up_for_with_the_next_free_events(window, taken):
    (fault,) = armed({"kind": "throttle", "service": "s3", "calls": window}).of_service("s3")
    met = [fault.next_event(taken=is_taken) for is_taken in taken]
    assert all(number is None for number, is_taken in zip(met, taken, strict=True) if is_taken)
    # As if all the events that others took had been queued in front of the free ones.
    owed, expected = 0, []
    for number, is_taken in enumerate(taken, 1):
        holds = fault.fault.window.holds(number, fault.fault.seed)
        if is_taken:
            owed += holds
            expected.append(None)
        else:
            expected.append(number if holds or owed else None)
            owed -= bool(owed and not holds)
    assert met == expected
    assert fault.seen == len(taken)


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_an_event_that_came_to_nothing_is_made_up_for(failures):
    (fault,) = armed({"kind": "partial", "service": "sqs", "operation": "SendMessageBatch", "calls": "1"}).of_service("sqs")
    fires = []
    for fails in [*failures, False]:
        number = fault.next_event()
        if number is not None:
            if fails:
                fault.came_to_nothing()
            else:
                fires.append(number)
    assert fires == [failures.index(False) + 1 if False in failures else len(failures) + 1]


def stream_event(*numbers):
    return json.dumps({"Records": [{"eventID": f"shard:{number}"} for number in numbers]}).encode()


def running(*numbers, function="F"):
    caller = Caller("key", function)
    caller.begins(stream_event(*numbers), "the same request id")
    return caller


S3, SECOND = {"kind": "throttle", "service": "s3"}, {"kind": "throttle", "service": "sqs"}


def meets(fault, caller, attempt=None):
    fault.met(caller.function, caller.items(), caller.attempt if attempt is None else attempt)


@pytest.mark.parametrize("first", [{**S3, "id": "one"}, {"kind": "lambda_error_after", "function": "F", "id": "one"}])
def test_what_repeats_an_invocation_has_one_of_its_items_and_is_another_attempt_of_the_same_function(first):
    plan = armed({**SECOND, "id": "zero"}, first, {**SECOND, "repeats": "one"})
    repeats = plan.faults[2].fault
    met = running(1, 2)
    assert not plan.may_meet(repeats, running(1, 2)), "nothing was met so far"
    assert [one.is_followed for one in plan.faults] == [False, True, False]
    meets(plan.faults[1], met)
    assert plan.may_meet(repeats, running(2, 3))
    assert not plan.may_meet(repeats, met)
    assert not plan.may_meet(repeats, running(3))
    assert not plan.may_meet(repeats, running(1, 2, function="G"))
    assert not plan.may_meet(repeats, None)


def test_what_repeats_an_invocation_still_does_once_it_is_met_itself():
    plan = armed({**S3, "id": "one", "calls": "1-8"}, {**SECOND, "repeats": "one"})
    first, again = running(1), running(1)
    meets(plan.faults[0], first)
    meets(plan.faults[0], again)
    assert plan.may_meet(plan.faults[1].fault, again)
    # The first attempt has ended by then.
    assert plan.may_meet(plan.faults[1].fault, first)


def test_an_event_that_the_function_never_got_is_repeated_by_its_first_attempt():
    plan = armed({"kind": "lambda_throttled", "function": "F", "id": "one"}, {**SECOND, "repeats": "one"})
    meets(plan.faults[0], running(1), attempt=0)
    assert plan.may_meet(plan.faults[1].fault, running(1))


def test_what_comes_after_a_fault_is_in_the_attempt_that_it_met():
    plan = armed({**S3, "id": "one"}, {**SECOND, "after": "one"})
    after = plan.faults[1].fault
    met = running(1)
    assert not plan.may_meet(after, met)
    meets(plan.faults[0], met)
    assert plan.may_meet(after, met)
    assert not plan.may_meet(after, running(1))
    assert not plan.may_meet(after, None)
    assert plan.may_meet(plan.faults[0].fault, None)


def test_in_a_replay_what_comes_after_a_fault_comes_after_each_part_of_it():
    plan = armed({**S3, "id": "one/1", "of": "one"}, {**S3, "id": "one/2", "of": "one"}, {**SECOND, "after": "one"})
    for part in plan.faults[:2]:
        met = running(1)
        meets(part, met)
        assert plan.may_meet(plan.faults[2].fault, met)


@pytest.mark.parametrize("kind", ["lambda_slow", "lambda_killed_during", "lambda_error_after"])
def test_an_invocation_that_a_fault_of_its_own_meets_does_not_repeat_itself(kind):
    slow = {"seconds": 1} if kind == "lambda_slow" else {}
    plan = armed({"kind": kind, "function": "F", "id": "one", **slow}, {**SECOND, "repeats": "one"})
    met = running(1)
    ((event, number),) = plan.of_function("F", lambda _: True, met.payload)
    Injection(event, number, met.attempt).fired(met.request_id, met.payload)
    assert not plan.may_meet(plan.faults[1].fault, met)
    assert plan.may_meet(plan.faults[1].fault, running(1))


def test_a_fault_until_success_is_over_once_a_call_gets_through():
    (fault,) = armed({"kind": "throttle", "service": "s3", "calls": "all", "until_success": True}).of_service("s3")
    assert [fault.next_event(), fault.next_event()] == [1, 2]
    fault.got_through()
    assert fault.next_event() is None


@given(
    st.lists(st.sampled_from(["lambda_error_before", "lambda_slow", "lambda_throttled"]), min_size=1, max_size=5), st.integers(1, 6)
)
def test_an_invocation_meets_all_delays_and_one_other_fault_and_the_others_follow(kinds, many):
    keys = {"lambda_slow": {"seconds": 0.1}}
    plan = armed(*({"kind": kind, "function": "f", "invocations": "1", **keys.get(kind, {})} for kind in kinds))
    met = [[fault.fault.kind for fault, _ in plan.of_function("f", lambda _: True)] for _ in range(many)]
    slow = kinds.count("lambda_slow")
    others = [kind for kind in kinds if kind != "lambda_slow"]
    assert [kind for kind in met[0] if kind == "lambda_slow"] == ["lambda_slow"] * slow
    assert [kind for event in met for kind in event if kind != "lambda_slow"] == others[:many]
    assert all(sum(kind != "lambda_slow" for kind in event) <= 1 for event in met)
    assert plan.of_function("another", lambda _: True) == []


def test_the_log_has_each_fault_with_what_it_saw_and_its_firings_in_order():
    plan = armed({"id": "a", "kind": "throttle", "service": "s3", "calls": "1-3"}, {"id": "b", "kind": "cut", "service": "sqs"})
    fault, _ = plan.faults
    for number in (3, 1):
        fault.fired(number, call="s3.PutObject", caller=None)
    assert [(entry["id"], entry["seen"], [f["event"] for f in entry["firings"]]) for entry in plan.log()] == [
        ("a", 0, [1, 3]), ("b", 0, []),
    ]  # fmt: skip
    assert "caller" not in plan.log()[0]["firings"][0]
