"""Rate shapes: when the n-th record of a load may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class RateShape(Protocol):
    """A schedule, in seconds from the start of the load."""

    def due_s(self, number: int) -> float:
        """When record `number` (from 0) may be sent."""
        ...


@dataclass(frozen=True, slots=True)
class Unlimited:
    """As fast as the first hop takes them."""

    def due_s(self, number: int) -> float:
        return 0.0 * number


@dataclass(frozen=True, slots=True)
class Constant:
    """So many records in each second, evenly."""

    records_per_s: float

    def due_s(self, number: int) -> float:
        return number / self.records_per_s


@dataclass(frozen=True, slots=True)
class Stage:
    """A rate for a time. The last stage goes on for as long as there are records."""

    records_per_s: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Stages:
    """One constant rate after the other."""

    stages: Sequence[Stage]

    def due_s(self, number: int) -> float:
        elapsed_s, before = 0.0, 0.0
        for stage in self.stages[:-1]:
            capacity = stage.records_per_s * stage.seconds
            if number < before + capacity:
                return elapsed_s + (number - before) / stage.records_per_s
            before += capacity
            elapsed_s += stage.seconds
        return elapsed_s + (number - before) / self.stages[-1].records_per_s
