"""Many runs on one emulator, each in its own account: what the emulator and the harness hold after the first twenty, and at the end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from harness.accounting.verdict import Judgement
from harness.emulator.embedded import Embedded
from harness.emulator.shared import Shared
from harness.report.run_record import record
from harness.run.engine import conduct
from harness.run.recipe import make_recipe, open_load
from harness.run.run_dir import create_run_dir
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from tests.bench.figures import Figure, write

if TYPE_CHECKING:
    from collections.abc import Callable

SETTLED = 20
_SCENARIOS = ("clickstream-smoke", "orders-smoke", "students", "records")
_RECORDS = 100
_TOLD_EVERY = 10


def bench_soak(runs: int, out: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Returns the memory, and its growth since run SETTLED. Raises RuntimeError where a run does not pass: a soak of failures proves nothing."""
    with tempfile.TemporaryDirectory(prefix="pipeproof-soak-") as scratch:
        emulator = Embedded(Path(scratch, "emulator.log"))
        for step in emulator.prepare():
            tell(step)
        try:
            shared = Shared(emulator, emulator.start())
            processes = {"emulator": psutil.Process(emulator.pid), "harness": psutil.Process()}
            held: dict[str, list[float]] = {name: [] for name in processes}
            for number in range(1, runs + 1):
                _run(_SCENARIOS[number % len(_SCENARIOS)], number, shared, Path(scratch))
                for name, process in processes.items():
                    held[name].append(process.memory_info().rss / 1e6)
                if number % _TOLD_EVERY == 0:
                    tell(f"{number} of {runs} runs: " + ", ".join(f"{name} {values[-1]:,.0f} MB" for name, values in held.items()))
        finally:
            emulator.stop()
    figures = []
    for name, values in held.items():
        settled = values[min(SETTLED, runs) - 1]
        figures += [
            Figure(f"{name} after run {min(SETTLED, runs)}", "MB", (settled,)),
            Figure(f"{name} after run {runs}", "MB", (values[-1],)),
            Figure(f"growth of the {name} since", "ratio", (values[-1] / settled,), 1.1, "lower"),
        ]
    write(figures, out)
    return figures


def _run(name: str, number: int, emulator: Shared, out: Path) -> None:
    _, path = find_scenario(name)
    recipe = make_recipe(name, load_scenario(path), seed=number, records=_RECORDS)
    run_dir = create_run_dir(out, name)
    finished = record(run_dir, conduct(Run(recipe, open_load(recipe), emulator, "soak", "", run_dir, f"{number:012d}")))
    if finished.verdict.judgement is not Judgement.PASS:
        raise RuntimeError(
            f"run {number} of the soak ({name}): {finished.verdict.judgement}: {'; '.join(finished.verdict.reasons)}"
        )
