"""`python -m tests.rediscovery [DEFECT ...]`: does `pipeproof explore` find the planted defects that a fault shows, without the faults of their scenarios?
Takes minutes per defect."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.emulator.choose import choose_several
from harness.explore import search
from harness.explore.running import explored
from harness.report.run_record import record
from harness.run.defects import Defect, load_defects
from harness.run.prove import Case, planted
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Row:
    """What came of the search for a defect: how many schedules until it failed, how many faults its smallest schedule has (0: a run without faults shows it), and how
    often of how many runs that one fails."""

    defect: str
    scenario: str
    found: bool
    schedules: int
    faults: int
    smallest: str
    reproduced: str
    took_s: int
    left: int
    doubt: str


def wanted(names: Sequence[str], folder: Path) -> Iterator[Defect]:
    """Yields the defects of these names; where there are none, those whose scenario has faults."""
    defects = load_defects(folder)
    if unknown := set(names) - {defect.name for defect in defects}:
        raise click.UsageError(f"no defect in {folder} is called {', '.join(sorted(unknown))}")
    for defect in defects:
        if (defect.name in names) if names else bool(load_scenario(scenario_files()[defect.scenario]).faults):
            yield defect


def searched(defect: Defect, out: Path, emulator: str, budget_s: float, depth: int, records: int | None, workers: int) -> Row:
    """Explores the scenario of a defect that is planted in its pipeline, until a schedule fails."""
    with tempfile.TemporaryDirectory(prefix="pipeproof-rediscovery-") as scratch:
        recipe = planted(Case(defect.scenario, defect), Path(scratch))
        began = time.monotonic()
        came = explored(
            recipe.name, recipe.scenario, choose_several(emulator, out, workers)[0], out, record, lambda _: None,
            limits=search.Limits(depth, workers, first=True), budget_s=budget_s, seed=recipe.seed, records=records,
        )  # fmt: skip
    smallest = min(came.findings, key=lambda one: len(one.faults), default=None)
    return Row(
        defect.name,
        defect.scenario,
        bool(came.findings),
        came.tried,
        len(smallest.faults) if smallest else 0,
        smallest.name or "a run without faults" if smallest else "",
        f"{smallest.reproduced} of {smallest.runs}" if smallest else "",
        round(time.monotonic() - began),
        came.left,
        came.doubt,
    )


@click.command()
@click.argument("names", nargs=-1)
@click.option("--defects", type=click.Path(path_type=Path), default=Path("fixtures/defects"), show_default=True)
@click.option("--budget", type=float, default=900, show_default=True, help="Seconds for each defect.")
@click.option("--depth", type=click.IntRange(1, 2), default=2, show_default=True)
@click.option("--records", type=int)
@click.option("--workers", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--emulator", default="embedded", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/rediscovery.json"), show_default=True)
def main(
    names: tuple[str, ...], defects: Path, budget: float, depth: int, records: int | None, workers: int, emulator: str, out: Path
) -> int:
    """Searches for each planted defect, and tells how many schedules that took. Exit 1 where more than one in twenty is not found."""
    rows = []
    out.parent.mkdir(parents=True, exist_ok=True)
    for defect in wanted(names, defects):
        with tempfile.TemporaryDirectory(prefix="pipeproof-rediscovery-") as run_dirs:
            row = searched(defect, Path(run_dirs), emulator, budget, depth, records, workers)
        rows.append(row)
        out.write_text(json.dumps([asdict(one) for one in rows], indent=2) + "\n")
        click.echo(
            f"{'found' if row.found else 'MISSED':<6}  {row.defect:<40} {row.schedules:>4} schedules, {row.took_s:>4} s, {row.left} left  {row.smallest} {row.reproduced} {row.doubt}"
        )
    found = sum(row.found for row in rows)
    click.echo(f"{found} of {len(rows)} found")
    return 0 if found >= 0.95 * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main(standalone_mode=False))
