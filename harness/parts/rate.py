"""Rates: when the n-th record of a load may be sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.parts.part import NotEmpty, Part, Seconds

PerSecond = Annotated[float, Field(ge=0.001, le=1_000_000_000)]


class Unlimited(Part):
    """Sends as fast as the first hop takes the records."""

    shape: Literal["unlimited"] = "unlimited"

    def due_s(self, number: int) -> float:
        """Returns when record `number` (from 0) may be sent, in seconds from the start of the load."""
        return 0.0 * number


class Constant(Part):
    """Sends `records_per_s` records in each second, evenly."""

    shape: Literal["constant"]
    records_per_s: PerSecond

    def due_s(self, number: int) -> float:
        """Returns when record `number` (from 0) may be sent, in seconds from the start of the load."""
        return number / self.records_per_s


class Stage(Part):
    """A rate that holds for a time. The last stage lasts as long as there are records."""

    records_per_s: PerSecond
    seconds: Seconds


class Stages(Part):
    """Sends at one constant rate after the other."""

    shape: Literal["stages"]
    stages: Annotated[tuple[Stage, ...], NotEmpty]

    def due_s(self, number: int) -> float:
        """Returns when record `number` (from 0) may be sent, in seconds from the start of the load."""
        elapsed_s, before = 0.0, 0.0
        for stage in self.stages[:-1]:
            capacity = stage.records_per_s * stage.seconds
            if number < before + capacity:
                return elapsed_s + (number - before) / stage.records_per_s
            before += capacity
            elapsed_s += stage.seconds
        return elapsed_s + (number - before) / self.stages[-1].records_per_s


Rate = Annotated[Unlimited | Constant | Stages, Field(discriminator="shape")]
