"""The arithmetic of armed faults: a fault meets as many events as its window has, also where others take some of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.faults.plan import load, named
from harness.inside.faults.armed import Armed

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
