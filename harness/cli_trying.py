"""The commands that run a scenario many times: with planted defects, and with faults that they choose."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UsageError
from harness.exits import EXIT
from harness.interrupts import clean_up
from harness.options import duration, emulator_option, scenario_argument

if TYPE_CHECKING:
    from harness.emulator.emulator import Emulator


@click.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@emulator_option
@click.option(
    "--defects", type=click.Path(path_type=Path), default=None, help="Folder of planted defects. [default: fixtures/defects]"
)
@click.option(
    "--seeds", type=click.IntRange(1, 100_000), default=1, show_default=True, help="Clean runs of each scenario: seeds 1 to N."
)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Runs at a time, on one emulator.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where run directories go.")
def prove(scenarios: tuple[str, ...], emulator: str, defects: Path | None, seeds: int, workers: int, out: Path) -> int:
    """Shows that the harness notices: runs each SCENARIO (all that have planted defects) clean, and with each defect.

    Exit 0 where every clean run passes and every defect is caught, 1 on a miss or a false alarm, 2 where a clean run has no verdict.

    Example: pipeproof prove clickstream-smoke --seeds 5"""
    from rich.console import Console  # noqa: PLC0415

    from harness.emulator.choose import choose_emulator  # noqa: PLC0415
    from harness.report import proofs as proofs_report  # noqa: PLC0415
    from harness.report.run_record import record  # noqa: PLC0415
    from harness.run.defects import BUILT_IN as DEFECTS  # noqa: PLC0415
    from harness.run.defects import load_defects  # noqa: PLC0415
    from harness.run.prove import cases, judge_proofs  # noqa: PLC0415
    from harness.run.prove import prove as run_proofs  # noqa: PLC0415
    from harness.run.run_dir import create_run_dir  # noqa: PLC0415
    from harness.scenario.catalogue import find_scenario  # noqa: PLC0415

    directory = defects or next((d for d in (Path("fixtures/defects"), DEFECTS) if d.is_dir()), DEFECTS)
    known = load_defects(directory)
    todo = cases(known, [find_scenario(name)[0] for name in scenarios], seeds)
    if seeds == 1 and not any(case.defect for case in todo):
        message = f"no planted defect in {directory}" + (f" is for {', '.join(scenarios)}" if scenarios else "")
        raise UsageError(message)
    choose_emulator(emulator, Path(os.devnull))
    # A log has no width: the table is as wide as its names.
    console = Console() if sys.stdout.isatty() else Console(width=140)
    clean_up()
    log = create_run_dir(out, "prove") / "emulator.log"
    chosen, why = choose_emulator(emulator, log)
    console.print(f"{len(todo)} runs on one emulator: {why}", highlight=False)
    proofs = []
    for proof in run_proofs(todo, chosen, out, workers, lambda step: console.print(f"  … {step}", highlight=False), record):
        proofs.append(proof)
        console.print(f"  {len(proofs):>3} of {len(todo)}  {proofs_report.line(proof)}", highlight=False, soft_wrap=True)
    proofs.sort(key=lambda proof: todo.index(proof.case))
    console.print(proofs_report.table(proofs))
    console.print(proofs_report.summary(proofs), highlight=False)
    return EXIT[judge_proofs(proofs)]


@click.command()
@scenario_argument()
@click.option("--depth", type=click.IntRange(1, 2), default=1, show_default=True, help="How many faults a schedule has at most.")
@click.option(
    "--budget",
    callback=duration,
    default="10m",
    show_default=True,
    help="How long new schedules are begun, such as 90s, 10m or 2h.",
)
@click.option(
    "--schedules",
    type=click.IntRange(min=1),
    help="How many schedules are tried at most. [default: as many as the budget has time for]",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on from the last search: what has survived in the same code is not tried again; after a change of the code, what is new is tried first.",
)
@click.option("--first", is_flag=True, help="End at the first schedule that fails, once it is made small.")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Runs at a time, on an emulator for each core. [default: two for each core]"
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the generator. [default: the scenario's]")
@click.option(
    "--records",
    type=click.IntRange(1, 1_000_000_000),
    help="How many records: the fewer, the more schedules. [default: the scenario's]",
)
@emulator_option
@click.option(
    "--second-emulator",
    help="Run what was found again on this emulator: embedded, container, auto, or the URL of an endpoint. What fails there too is caused by the pipeline. [default: not done]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Where the directories of runs that fail go.",
)
@click.option(
    "--found",
    type=click.Path(path_type=Path),
    default=Path("found"),
    show_default=True,
    help="Where scenarios of what was found go.",
)
def explore(
    scenario: str, depth: int, budget: float, schedules: int | None, first: bool, resume: bool, workers: int | None, seed: int | None, records: int | None,  # noqa: FBT001
    emulator: str, second_emulator: str | None, out: Path, found: Path,
) -> int:  # fmt: skip
    """Searches for faults that make SCENARIO lose or spoil a record. A run without faults shows where they can be; then each kind is tried at each of these points, in
    place of the scenario's own; its faults of records stay. What fails is made small, and written as a new scenario.

    Exit 0 where nothing was found in what was tried, 1 where something was, 2 where the run without faults has no verdict, or one with faults that were met.

    Example: pipeproof explore pipeproof.yaml --records 50 --budget 5m"""
    from rich.console import Console  # noqa: PLC0415

    from harness.emulator.choose import choose_several  # noqa: PLC0415
    from harness.explore.memory import code_of, read_known, write_known  # noqa: PLC0415
    from harness.explore.opinion import second_opinions  # noqa: PLC0415
    from harness.explore.room import Room  # noqa: PLC0415
    from harness.explore.running import explored, write_found  # noqa: PLC0415
    from harness.explore.search import Explored, Known, Limits  # noqa: PLC0415
    from harness.explore.words import in_words  # noqa: PLC0415
    from harness.report.html.page import left_report  # noqa: PLC0415
    from harness.report.run_record import record  # noqa: PLC0415
    from harness.report.search import left_page  # noqa: PLC0415
    from harness.run.run_dir import create_run_dir  # noqa: PLC0415
    from harness.scenario.catalogue import find_scenario  # noqa: PLC0415
    from harness.scenario.loading import load_scenario  # noqa: PLC0415

    name, path = find_scenario(scenario)
    loaded = load_scenario(path)
    console = Console()
    clean_up()
    note, code = found / f"{name}.explored.json", code_of(loaded, seed, records)
    known = read_known(note, code) if resume else Known()
    run_dir = create_run_dir(out, f"explore-{name}", latest=False)
    room = Room() if workers is None else lambda: False
    workers = workers or 2 * (os.cpu_count() or 1)
    chosen, why = choose_several(emulator, run_dir, workers)
    console.print(f"for all runs: {why}", highlight=False)
    second = _second(second_emulator, run_dir)
    came = Explored()

    def tell(step: str) -> None:
        console.print(f"  {step}", highlight=False, markup=False, soft_wrap=True)

    try:
        explored(
        name, loaded, chosen, run_dir, record, tell,
        limits=Limits(depth, workers, most=schedules, first=first, room=room), budget_s=budget, seed=seed, records=records, known=known, found=came,
        )  # fmt: skip
    finally:
        if came.outcomes:
            write_known(note, code, known, came.outcomes)
    written = [found / f"{name}-{number}.yaml" for number in range(1, len(came.findings) + 1)]
    lines = []
    for finding, path in zip(came.findings, written, strict=True):
        write_found(loaded, finding, path, seed, records)
        lines.append(f"  {path}: {left_report(Path(finding.tried.run_dir))}")
    for line in (*lines, *in_words(came), left_page(name, came, written, run_dir)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if second and came.findings:
        causes = []
        for opinion in second_opinions(name, loaded, second, run_dir, record, tell, came.findings, seed=seed, records=records):
            causes.append(opinion.text)
            console.print(f"{len(causes)}. cause: {opinion.text}", highlight=False, markup=False, soft_wrap=True)
        left_page(name, came, written, run_dir, causes)
    return EXIT[came.judgement]


def _second(wanted: str | None, run_dir: Path) -> Emulator | None:
    """Returns the emulator for --second-emulator. Raises UsageError where it cannot be had."""
    from harness.emulator.choose import choose_emulator  # noqa: PLC0415

    if wanted is None:
        return None
    try:
        return choose_emulator(wanted, run_dir / "emulator-second.log")[0]
    except UsageError as error:
        raise UsageError(str(error).replace("--emulator", "--second-emulator")) from error
