"""`python -m tests.rediscovery [DEFECT ...]`: does `pipeproof explore` find the planted defects that a fault shows, without the faults of their scenarios? And does chance find
them, which gives each run several of the same faults, as `chaos` does? Takes minutes per defect."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.accounting.verdict import Judgement
from harness.emulator.choose import choose_several
from harness.explore import search
from harness.explore.running import explored, running
from harness.explore.schedules import Schedule, of_points
from harness.faults.chaos import mix, possible
from harness.faults.plan import load
from harness.report.run_record import record
from harness.run.defects import Defect, load_defects
from harness.run.prove import Case, planted
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.explore.points import Point

# As in the scenario clickstream-chaos.
_FAULTS_AT_RANDOM = 9
_BEGIN, _LENGTH = 4, 3
_MOST_AT_RANDOM = 2000
_MOST_KILLS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """What came of the search for a defect: how many schedules until it failed, how many faults its smallest schedule has (0: a run without faults shows it), and how
    often of how many runs that one fails. `at_random` says how many schedules of chance that took, and `by_chance` whether one of them failed."""

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
    at_random: int | None = None
    by_chance: bool = False


def wanted(names: Sequence[str], folder: Path) -> Iterator[Defect]:
    """Yields the defects of these names; where there are none, those whose scenario has faults, and all where no scenario has."""
    defects = load_defects(folder)
    of_faults = [defect.name for defect in defects if load_scenario(scenario_files()[defect.scenario]).faults]
    if unknown := set(names) - {defect.name for defect in defects}:
        raise click.UsageError(f"no defect in {folder} is called {', '.join(sorted(unknown))}")
    for defect in defects:
        if not (names or of_faults) or defect.name in (names or of_faults):
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


def schedules_of_chance(points: Sequence[Point]) -> Iterator[Schedule]:
    """Yields schedules of several faults, which chance picks from all that the search knows, each with a window of some of the first calls. They are the same each time."""
    kinds = {
        _without_window(fault): fault
        for schedule in of_points(points)
        for fault in schedule.faults
        if fault.get("after_calls", 0) <= _MOST_KILLS
    }
    faults = [
        fault.model_copy(update={"id": f"{number}"}) for number, fault in enumerate(load([kinds[name] for name in sorted(kinds)]))
    ]
    counts = {(point.who, point.call, point.resource): point.count for point in points}
    seen = {fault.id: counts[_address(kinds[name])] for fault, name in zip(faults, sorted(kinds), strict=True)}
    for seed in range(_MOST_AT_RANDOM):
        chosen, others = mix(faults, seed, pick=_FAULTS_AT_RANDOM, begin=_BEGIN, length=_LENGTH)
        plan = [fault.model_dump(exclude={"id", "seed"}, exclude_defaults=True) for fault in possible(chosen, others, seen)]
        yield Schedule(tuple(plan), seed)


def _without_window(fault: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in fault.items() if key not in {"calls", "invocations"}})


def _address(fault: dict[str, Any]) -> tuple[str, str, str]:
    if "function" in fault:
        return fault["function"], "", ""
    return fault["caller"], f"{fault['service']}.{fault['operation']}", fault.get("resource", "")


def at_random(defect: Defect, out: Path, emulator: str, budget_s: float, records: int | None, workers: int) -> tuple[int, bool]:
    """Runs schedules of chance until one fails or the time is over. Returns how many, and whether one has failed."""
    failed: list[Schedule] = []
    tried = 0
    with tempfile.TemporaryDirectory(prefix="pipeproof-rediscovery-") as scratch:
        recipe = planted(Case(defect.scenario, defect), Path(scratch))
        began = time.monotonic()
        with running(
            recipe.name, recipe.scenario, choose_several(emulator, out, workers)[0], out, record, lambda _: None, seed=recipe.seed, records=records
        ) as run:  # fmt: skip
            clean = run(())
            if clean.judgement is not Judgement.PASS or not clean.points:
                raise click.ClickException(f"{defect.name}: the run without faults is no beginning: {'; '.join(clean.reasons)}")
            todo = list(schedules_of_chance(clean.points))
            limits = search.Limits(1, workers, over=lambda: time.monotonic() > began + budget_s)
            for schedule, came in search.side_by_side(run.quick, todo, limits, lambda: bool(failed)):
                tried += 1
                if came.judgement is Judgement.FAIL:
                    failed.append(schedule)
                    run.abandon()
    return tried, bool(failed)


@click.command()
@click.argument("names", nargs=-1)
@click.option("--defects", type=click.Path(path_type=Path), default=Path("fixtures/defects"), show_default=True)
@click.option("--budget", type=float, default=900, show_default=True, help="Seconds for each defect.")
@click.option("--chance", type=float, default=0, show_default=True, help="Seconds of chance for each defect.")
@click.option("--depth", type=click.IntRange(1, 2), default=2, show_default=True)
@click.option("--records", type=int)
@click.option("--workers", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--emulator", default="embedded", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/rediscovery.json"), show_default=True)
def main(
    names: tuple[str, ...],
    defects: Path,
    budget: float,
    chance: float,
    depth: int,
    records: int | None,
    workers: int,
    emulator: str,
    out: Path,
) -> int:
    """Searches for each planted defect, and tells how many schedules that took. Exit 1 where more than one in twenty is not found."""
    rows = []
    out.parent.mkdir(parents=True, exist_ok=True)
    for defect in wanted(names, defects):
        with tempfile.TemporaryDirectory(prefix="pipeproof-rediscovery-") as run_dirs:
            row = searched(defect, Path(run_dirs), emulator, budget, depth, records, workers)
            if chance and row.schedules:
                tried, failed = at_random(defect, Path(run_dirs), emulator, chance, records, workers)
                row = replace(row, at_random=tried, by_chance=failed)
        rows.append(row)
        out.write_text(json.dumps([asdict(one) for one in rows], indent=2) + "\n")
        click.echo(
            f"{'found' if row.found else 'MISSED':<6}  {row.defect:<40} {row.schedules:>4} schedules, {row.took_s:>4} s, {row.left} left  {row.smallest} {row.reproduced} {row.doubt}"
            + ("" if row.at_random is None else f"; at random: {'found' if row.by_chance else 'MISSED'}, {row.at_random} schedules")
        )
    found = sum(row.found for row in rows)
    click.echo(f"{found} of {len(rows)} found")
    return 0 if found >= 0.95 * len(rows) else 1


if __name__ == "__main__":
    sys.exit(main(standalone_mode=False))
