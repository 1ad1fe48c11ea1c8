"""A seeded mix: which faults of a list a run meets, and when."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from harness.faults.plan import LambdaFault, RecordFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.faults.plan import Fault, Plan


def mix(faults: Sequence[Fault], seed: int, *, pick: int, begin: int, length: int) -> Plan:
    """Returns `pick` of the faults (all, where there are fewer), each with a window of 1 to `length` events that begins with one of the first
    `begin`. The same seed gives the same plan."""
    rng = random.Random(f"chaos/{seed}")
    chosen = sorted(rng.sample(range(len(faults)), min(pick, len(faults))))
    plan: list[Fault] = []
    for index in chosen:
        fault = faults[index]
        if isinstance(fault, RecordFault):
            plan.append(fault)
            continue
        first = rng.randint(1, begin)
        window = f"{first}-{first + rng.randrange(length)}"
        plan.append(fault.model_copy(update={"invocations" if isinstance(fault, LambdaFault) else "calls": window}))
    return tuple(plan)
