"""Waiting for rest: it is known from the gauges, or it is a doubt that says what was under way."""

from __future__ import annotations

import pytest

from harness.errors import EmulatorDiedError
from harness.run import drain as module
from harness.run.drain import Rest, describe, drain
from harness.run.events import ActorActed
from tests.unit.run.fakes import BUSY, REST, Gauges


@pytest.fixture
def gauges():
    made = []

    def make(*answers):
        made.append(Gauges(*answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


def drained(endpoint, timeout_s=30, check=lambda: None, turn=lambda: (), **more):
    return list(drain(endpoint, "000000000000", timeout_s, check, turn, **more))


def test_what_is_under_way_is_named_and_what_is_not_is_left_out():
    activity = {
        "in_flight": {"requests": 0, "invocations": 2, "deliveries": 0},
        "streams": [{"behind": 1000}, {"behind": 234}],
        "queues": [
            {"visible": 5, "in_flight": 1, "delayed": 0, "consumed": True},
            {"visible": 99, "in_flight": 0, "delayed": 0, "consumed": False},
        ],
        "executions": 0,
    }
    assert describe(activity) == "1,234 records in streams, 6 messages in queues, 2 invocations"
    assert describe({}) == "a last look"


def test_rest_is_two_quiet_looks_with_no_request_between_them(gauges):
    served = gauges(BUSY, REST, {**REST, "requests": 8}, BUSY, {**REST, "requests": 9}, {**REST, "requests": 9}, BUSY)
    assert drained(served.endpoint)[-1] == Rest(known=True)
    assert served.answers == [BUSY], "it looked six times"


def test_what_takes_long_is_looked_at_less_often_and_a_rest_is_confirmed_soon(gauges, monkeypatch):
    waits = []

    class Time:
        """Goes on by what is waited."""

        sleep = waits.append

        @staticmethod
        def monotonic():
            return sum(waits)

    monkeypatch.setattr(module, "time", Time)
    assert drained(gauges(*[BUSY] * 150, REST, REST).endpoint)[-1] == Rest(known=True)
    *waits, last = waits
    assert waits == sorted(waits)
    assert (waits[0], max(waits), last) == (0.05, 0.25, 0.05)


def test_without_rest_in_time_the_doubt_says_what_was_under_way(gauges):
    assert drained(gauges(BUSY).endpoint, 0.2)[-1] == Rest(
        known=False, doubt="not at rest 0.2 s after the load: 2 executions", is_late=True
    )


@pytest.mark.parametrize("answer", [(404, b"no such route"), (200, b"not json"), (200, b"[]"), (200, b"{}")])
def test_an_endpoint_without_gauges_cannot_tell(gauges, answer):
    (rest,) = drained(gauges(answer).endpoint)
    assert not rest.known
    assert "does not serve /_pipeproof/activity" in rest.doubt


def test_an_answer_that_fails_once_is_asked_for_again(gauges):
    assert drained(gauges((500, b"oops"), REST).endpoint)[-1] == Rest(known=True)


def test_a_silent_endpoint_is_no_rest():
    rest = drained("http://127.0.0.1:1", 0.2)[-1]
    assert not rest.known
    assert "no answer" in rest.doubt


def test_actors_get_their_turn_at_each_look(gauges):
    turns = iter([[ActorActed("approve", "one")], [], [ActorActed("approve", "two")]])
    found = drained(gauges(BUSY, BUSY, REST).endpoint, turn=lambda: next(turns, []))
    assert [event.text for event in found if isinstance(event, ActorActed)] == ["one", "two"]


def test_an_emulator_that_is_gone_ends_the_wait(gauges):
    def check():
        raise EmulatorDiedError("gone")

    with pytest.raises(EmulatorDiedError):
        drained(gauges(BUSY).endpoint, check=check)


def test_who_is_not_patient_does_not_wait_for_what_is_tried_again_and_again(gauges):
    again, once = {"behind": 7, "endless": True}, {"behind": 2, "endless": False}
    idle = {"behind": 0, "endless": False}
    mixed, running, endless = (
        {**REST, "at_rest": False, "streams": [again, once]},
        {**REST, "at_rest": False, "streams": [again], "in_flight": {"invocations": 1}},
        {**REST, "at_rest": False, "streams": [again, idle]},
    )
    served = gauges(mixed, endless, endless, running, endless, endless, endless, BUSY)
    (*_, rest) = drained(served.endpoint, patient=False)
    assert rest == Rest(known=False, doubt="tried again and again, and never given up: 7 records in streams")
    assert served.answers == [BUSY], "three looks in a row"
    assert "not at rest" in drained(gauges(endless).endpoint, 0.2)[-1].doubt


def test_messages_that_come_again_and_again_are_told_with_what_ends_that(gauges):
    queue = {"queue": "q", "visible": 1, "in_flight": 0, "delayed": 0, "consumed": True}
    (*_, rest) = drained(gauges({**BUSY, "executions": 0, "queues": [queue]}).endpoint, 0.2)
    assert "1 messages in queues. A message that its function fails on comes back until the RedrivePolicy" in rest.doubt
