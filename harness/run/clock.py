"""What the clock would start: fired once the pipeline is at rest, again and again until that changes nothing more.

A pipeline that works by a schedule is at rest between two ticks, with records still on their way; and one that removes what it has stored
by a schedule looks safe until then.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from harness.errors import UnknownVerdictError
from harness.run.drain import Rest
from harness.run.events import ActorActed, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from harness.emulator.schedules import Schedule, Schedules
    from harness.scenario.scenario import SchedulesPart


class Clock:
    """The schedules that `client` tells. Those that were there before the run began are not its own, and are left alone."""

    def __init__(self, client: Schedules, part: SchedulesPart, before: frozenset[str] = frozenset()) -> None:
        self._client = client
        self._part = part
        self._before = before

    def run_down(self, drain: Callable[[], Generator[Event, None, Rest]]) -> Generator[Event, None, Rest]:
        """Fires every schedule and drains, until a round changes nothing. Returns the rest, with a doubt where that does not come."""
        rest = Rest(known=True)
        for number in range(1, self._part.rounds + 1):
            due, before = self._due()
            if not due:
                return rest
            if not self._part.fire:
                names = ", ".join(f"{schedule.name} ({schedule.expression})" for schedule in due)
                return Rest(known=False, doubt=f"not fired, and may still change what is stored: {names}")
            for schedule in due:
                try:
                    self._client.fire(schedule.arn)
                except UnknownVerdictError as error:
                    return Rest(known=False, doubt=f"schedule {schedule.name} ({schedule.expression}) cannot be fired: {error}")
                yield ActorActed("schedule", f"fired {schedule.name} ({schedule.expression}), round {number}")
            rest = yield from drain()
            if not rest.known:
                return rest
            if self._due()[1] == before:
                return rest
        names = ", ".join(schedule.name for schedule in due)
        return Rest(
            known=False,
            doubt=f"the schedules {names} still change something after {self._part.rounds} rounds: name in schedules.ignore those that "
            "have no part in what is stored",
        )

    def _due(self) -> tuple[list[Schedule], int]:
        found, changes = self._client.schedules()
        ignored = self._part.ignore
        return [
            schedule
            for schedule in found
            if schedule.arn not in self._before and not any(fnmatch.fnmatchcase(schedule.name, pattern) for pattern in ignored)
        ], changes
