"""Replays of failing runs: each must have the same anomalies, of the same records, as the run that it repeats. `tox -e replays -- 20` makes twenty.

A failing run is a scenario with faults, and a defect that is planted in its pipeline, both drawn. Exit 0 where at most one of twenty differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.accounting.verdict import Judgement
from harness.emulator.choose import choose_emulator
from harness.emulator.shared import Shared
from harness.report.run_record import record
from harness.run.defects import BUILT_IN, load_defects
from harness.run.engine import conduct
from harness.run.prove import Case, planted
from harness.run.recipe import open_load
from harness.run.replay import keep, recall
from harness.run.reproduced import compare
from harness.run.run_dir import create_run_dir
from harness.run.state import Run
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.run import events
    from harness.run.recipe import Recipe


def drawn(seed: int) -> Iterator[Case]:
    """Yields scenarios that have faults, in turn, each with another defect of its system."""
    rng = random.Random(seed)
    scenarios = {name: load_scenario(path) for name, path in scenario_files().items()}
    faulty = sorted(name for name, scenario in scenarios.items() if scenario.faults or scenario.chaos)
    defects = load_defects(BUILT_IN)
    template = {name: scenario.stack.template for name, scenario in scenarios.items()}
    of_each = {
        name: rng.sample(found, len(found))
        for name in faulty
        if (found := [defect for defect in defects if template[defect.scenario] == template[name]])
    }
    while any(of_each.values()):
        for name in rng.sample(sorted(of_each), len(of_each)):
            if of_each[name]:
                yield Case(name, of_each[name].pop(), rng.randrange(1000))


def run(recipe: Recipe, run_dir: Path, emulator: Shared, account: str) -> events.RunFinished:
    keep(recipe, run_dir)
    return record(run_dir, conduct(Run(recipe, open_load(recipe), emulator, "shared", "", run_dir, account)))


def replayed(case: Case, emulator: Shared, out: Path, number: int) -> tuple[bool | None, str]:
    """Returns whether the replay of a case had the same anomalies, with a text; None where the run itself is no fail."""
    assert case.defect is not None
    name = f"{case.scenario} with {case.defect.name}, seed {case.seed}"
    run_dir = create_run_dir(out, case.scenario)
    finished = run(planted(case, run_dir), run_dir, emulator, f"{number:012d}")
    if finished.verdict.judgement is not Judgement.FAIL or not sum(finished.account.anomalies.values()):
        return None, f"{name}: {finished.verdict.judgement}; {'; '.join(finished.verdict.reasons)}"
    again_dir = create_run_dir(out, f"{case.scenario}-again")
    again = run(recall(run_dir)[0], again_dir, emulator, f"{number + 10_000:012d}")
    found = compare(run_dir, again_dir)
    told = f" (not the same batches: {', '.join(again.not_repeated)})" if again.not_repeated else ""
    reasons = "; ".join(reason for reason in again.verdict.reasons if "fault" in reason)
    return (
        found is not None and found.same,
        f"{name}: {found.text if found else 'not reconciled'}{told} {reasons} {run_dir} {again_dir}",
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", type=int, nargs="?", default=20)
    parser.add_argument("--draw", type=int, default=1, help="seed of what is drawn")
    parser.add_argument("--emulator", default="embedded")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scenario", action="append", help="only these")
    parser.add_argument("--out", type=Path, help="where the runs are kept")
    asked = parser.parse_args()
    cases = (case for case in drawn(asked.draw) if not asked.scenario or case.scenario in asked.scenario)
    same = failed = number = 0
    with tempfile.TemporaryDirectory(prefix="pipeproof-replays-") as scratch:
        out = asked.out or Path(scratch)
        out.mkdir(parents=True, exist_ok=True)
        emulator, _ = choose_emulator(asked.emulator, out / "emulator.log")
        try:
            for step in emulator.prepare():
                click.echo(step)
            shared = Shared(emulator, emulator.start())
            with ThreadPoolExecutor(asked.workers) as pool:
                while failed < asked.number:
                    some = [case for _, case in zip(range(asked.workers), cases, strict=False)]
                    if not some:
                        break
                    results = pool.map(lambda one: replayed(one[1], shared, out, one[0]), list(enumerate(some, number + 1)))
                    number += len(some)
                    for repeats, text in results:
                        failed += repeats is not None
                        same += bool(repeats)
                        said = "no fail" if repeats is None else "same" if repeats else "DIFFERS"
                        click.echo(f"{said:<8} {text}")
        finally:
            emulator.stop()
    click.echo(f"the same anomalies in {same} of {failed} replays")
    return 0 if failed and same >= 0.95 * failed else 1


if __name__ == "__main__":
    sys.exit(main())
