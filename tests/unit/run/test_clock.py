"""What the clock would start is fired until that changes nothing more; what is not fired, or cannot be, is a doubt."""

from __future__ import annotations

import pytest

from harness.emulator.schedules import SchedulesClient
from harness.run.clock import Clock
from harness.run.drain import Rest
from harness.run.events import ActorActed
from harness.scenario.scenario import SchedulesPart
from tests.unit.run.fakes import REST, Gauges

NIGHTLY = {"arn": "arn:nightly", "name": "nightly", "expression": "rate(1 day)", "once": False}
HOURLY = {"arn": "arn:hourly", "name": "stack-hourly", "expression": "cron(0 * * * ? *)", "once": False}


@pytest.fixture
def emulator():
    gauges = Gauges(REST)
    yield gauges
    gauges.close()


def run_down(emulator, part=None, before=frozenset(), rest=None):
    def drain():
        yield from ()
        return rest or Rest(known=True)

    fired = []

    def collect():
        fired.append(
            (yield from Clock(SchedulesClient(emulator.endpoint, "000000000000"), part or SchedulesPart(), before).run_down(drain))
        )

    acted = [event.text for event in collect() if isinstance(event, ActorActed)]
    return fired[0], acted


def test_a_run_without_schedules_is_left_as_it_is(emulator):
    assert run_down(emulator) == (Rest(known=True), [])


def test_schedules_are_fired_until_a_round_changes_nothing(emulator):
    # Each round looks twice: the first two rounds change something.
    changes = iter([0, None, 1, 1, None, 2, 2, None, 2])
    emulator.schedules = lambda: {"schedules": [NIGHTLY], "changes": next(changes) or 0}
    rest, acted = run_down(emulator)
    assert rest.known
    assert acted == [f"fired nightly (rate(1 day)), round {n}" for n in (1, 2, 3)]
    assert emulator.fired == ["arn:nightly"] * 3


def test_a_schedule_that_always_changes_something_is_a_doubt(emulator):
    changes = iter(range(1000))
    emulator.schedules = lambda: {"schedules": [NIGHTLY], "changes": next(changes)}
    rest, acted = run_down(emulator, SchedulesPart(rounds=4))
    assert len(acted) == 4
    assert rest.doubt.startswith("the schedules nightly still change something after 4 rounds")


def test_what_is_ignored_or_was_there_before_is_not_fired(emulator):
    emulator.schedules = {"schedules": [NIGHTLY, HOURLY], "changes": 0}
    assert run_down(emulator, SchedulesPart(ignore=("*-hourly",)), frozenset({"arn:nightly"})) == (Rest(known=True), [])


def test_without_firing_each_schedule_is_a_doubt(emulator):
    emulator.schedules = {"schedules": [NIGHTLY, HOURLY], "changes": 0}
    rest, acted = run_down(emulator, SchedulesPart(fire=False))
    assert (rest.known, acted) == (False, [])
    assert rest.doubt.endswith("nightly (rate(1 day)), stack-hourly (cron(0 * * * ? *))")


def test_a_target_that_cannot_be_reached_is_a_doubt_with_its_answer(emulator):
    answers = iter([{"schedules": [NIGHTLY], "changes": 0}, (502, b'{"error": "ResourceNotFoundException: no such function"}')])
    emulator.schedules = lambda: next(answers)
    rest, _ = run_down(emulator)
    assert rest.doubt == "schedule nightly (rate(1 day)) cannot be fired: ResourceNotFoundException: no such function"


def test_without_rest_after_a_round_nothing_more_is_fired(emulator):
    emulator.schedules = {"schedules": [NIGHTLY], "changes": 0}
    rest, acted = run_down(emulator, rest=Rest(known=False, doubt="busy"))
    assert (rest.doubt, len(acted)) == ("busy", 1)
