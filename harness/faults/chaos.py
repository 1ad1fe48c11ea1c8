"""A seeded mix: which faults of a list a run meets, and when."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from harness.faults.plan import LambdaFault, RecordFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.faults.plan import Fault, Plan


def mix(faults: Sequence[Fault], seed: int, *, pick: int, begin: int, length: int) -> tuple[Plan, Plan]:
    """Returns `pick` of the faults (all, where there are fewer) and the others, in the order in which they take the place of one that cannot
    happen. Each has a window of 1 to `length` events that begins with one of the first `begin`. The same seed gives the same answer."""
    rng = random.Random(f"chaos/{seed}")
    chosen = sorted(rng.sample(range(len(faults)), min(pick, len(faults))))
    others = [place for place in range(len(faults)) if place not in chosen]
    windowed = {place: _with_window(faults[place], rng, begin, length) for place in chosen}
    rng.shuffle(others)
    return tuple(windowed.values()), tuple(_with_window(faults[place], rng, begin, length) for place in others)


def _with_window(fault: Fault, rng: random.Random, begin: int, length: int) -> Fault:
    if isinstance(fault, RecordFault):
        return fault
    first = rng.randint(1, begin)
    return _at(fault, first, first + rng.randrange(length))


def _at(fault: Fault, first: int, last: int) -> Fault:
    return fault.model_copy(update={"invocations" if isinstance(fault, LambdaFault) else "calls": f"{first}-{last}"})


def possible(chosen: Plan, others: Plan, seen: Mapping[str, int]) -> Plan:
    """Returns the chosen faults that can happen, as many of the others as are needed in place of those that cannot, and all windows within
    what can be met. `seen` counts the events of each fault's address in a run without faults."""
    able = [fault for fault in (*chosen, *others) if seen.get(fault.id)]
    return tuple(_within(fault, seen[fault.id]) for fault in able[: len(chosen)])


def _within(fault: Fault, events: int) -> Fault:
    """Returns the fault with its window moved forward, and cut where it is longer than what there is."""
    ((first, last),) = fault.window.ranges
    if last <= events:
        return fault
    length = min(last - first + 1, events)
    return _at(fault, events - length + 1, events)
