"""Fires a schedule now, so that a run need not wait for the clock. Once the pipeline is at rest, the engine fires all of them by itself
(docs/scenarios.md): this actor is for a schedule that must come meanwhile, or a certain number of times.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harness.aws.schedules import AwsSchedules
from harness.emulator.schedules import SchedulesClient
from harness.errors import UnknownVerdictError
from harness.parts.ports import Actor, Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.schedules import Schedules


class Tick(Actor):
    """Fires the rule or schedule `rule` (its name or ARN) `times` times, each time at all its targets."""

    rule: str
    times: Annotated[int, Field(ge=1, le=1000)] = 1

    def open(self, context: Context) -> Iterator[str | None]:
        """Yields once per tick. Raises UnknownVerdictError for a rule that is not there or not enabled, and for a target that cannot be reached."""
        client: Schedules = (
            AwsSchedules(context.clients, context.stack, context.run_dir)
            if context.clients.aws
            else SchedulesClient(context.endpoint, context.account)
        )
        found, _ = client.schedules()
        chosen = next((schedule for schedule in found if self.rule in {schedule.arn, schedule.name}), None)
        if chosen is None:
            there = ", ".join(schedule.name for schedule in found) or "none"
            raise UnknownVerdictError(f"tick: there is no enabled schedule {self.rule}; there is {there}")
        for number in range(self.times):
            context.check()
            client.fire(chosen.arn)
            yield f"fired {chosen.name} ({number + 1} of {self.times})"
