"""How fast `pipeproof explore` is: schedules in a minute, and what one costs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulator.choose import choose_several
from harness.explore.running import explored
from harness.report.run_record import record
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from tests.bench.figures import Figure, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.explore.search import Limits

_NO_END_S = 3600


def bench_explore(
    scenario: str, records: int, limits: Limits, repetitions: int, out: Path, tell: Callable[[str], None]
) -> list[Figure]:
    """Returns the schedules per minute, from the end of the run without faults on. Raises RuntimeError where a schedule loses records: to make it small is not the price
    of a schedule."""
    name, path = find_scenario(scenario)
    loaded = load_scenario(path)
    rates = []
    for number in range(1, repetitions + 1):
        ended: list[float] = []
        with tempfile.TemporaryDirectory(prefix="pipeproof-explore-") as scratch:
            came = explored(
                name, loaded, choose_several("embedded", Path(scratch), limits.workers)[0], Path(scratch), record, lambda _, ended=ended: ended.append(time.monotonic()),
                limits=limits, budget_s=_NO_END_S, seed=None, records=records,
            )  # fmt: skip
        if came.findings or came.doubt:
            raise RuntimeError(f"{scenario} loses records, or has no verdict: {came.doubt or came.findings[0].name}")
        # What is told before is how the emulator comes up, then how many schedules there are.
        began = ended[-came.tried - 1]
        rates.append(came.tried / (ended[-1] - began) * 60)
        tell(f"round {number}: {came.tried} schedules in {ended[-1] - began:.0f} s")
    figures = [
        Figure(
            f"schedules of {name}, {records} records, {limits.workers} at a time, depth {limits.depth}",
            "per minute",
            tuple(rates),
            60,
        )
    ]
    write(figures, out)
    return figures
