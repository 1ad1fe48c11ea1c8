"""`python -m tests.bench`: the speeds that README.md names, with their spread and their ratio to the floor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from harness.accounting.engines import ENGINES
from harness.exits import ErrorsAsMessages
from harness.explore.search import Limits
from tests.bench import plot
from tests.bench.batch import PEERS, bench_batch
from tests.bench.clickstream import bench_clickstream
from tests.bench.emulator import bench_emulator
from tests.bench.exploring import bench_explore
from tests.bench.figures import Figure, machine_load, table
from tests.bench.reconciling import bench_reconcile
from tests.bench.soak import bench_soak
from tests.bench.tuning import bench_tuning
from tests.bench.workflows import bench_workflows

if TYPE_CHECKING:
    from collections.abc import Callable


_repetitions = click.option(
    "--repetitions", type=click.IntRange(min=1), default=3, show_default=True, help="Rounds; the median counts."
)
_peer = click.option(
    "--peer", type=click.Choice(PEERS), help="Another emulator to measure beside, in turns; installed where it is not yet."
)


def _out(name: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    path = Path("runs") / name
    return click.option("--out", type=click.Path(path_type=Path), default=path, show_default=True, help="All figures as JSON.")


@click.group(cls=ErrorsAsMessages, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
def main() -> None:
    """Measures this machine: medians with their spread, and ratios to the floor."""


@main.command()
@_repetitions
@_out("bench.json")
def clickstream(repetitions: int, out: Path) -> int:
    """The clickstream on the embedded emulator, Lambda, the generator, the reconciliation. Takes minutes. Exit 1 where a target is missed."""
    return _measure(lambda tell: bench_clickstream(repetitions, out, tell), out)


@main.command()
@click.option(
    "--records",
    "first",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="How many orders; more numbers may follow.",
)
@click.argument("more", type=click.IntRange(min=1), nargs=-1, metavar="[RECORDS]...")
@_repetitions
@_out("bench-batch.json")
@_peer
def batch(first: int, more: tuple[int, ...], repetitions: int, out: Path, peer: str | None) -> int:
    """The orders on the embedded emulator, from the upload to the e-mail, by stage; a plot beside the JSON file. Takes minutes. Exit 1 where
    a target is missed."""
    plot.check(out)

    def measure(tell: Callable[[str], None]) -> list[Figure]:
        figures, series = bench_batch((first, *more), repetitions, out, tell, peer)
        for path in plot.draw(series, out):
            tell(f"plot: {path}")
        return figures

    return _measure(measure, out)


@main.command()
@click.option("--only", multiple=True, metavar="TEXT", help="Rows whose name has this text; may be given several times.")
@_repetitions
@_out("bench-emulator.json")
@_peer
def emulator(only: tuple[str, ...], repetitions: int, out: Path, peer: str | None) -> int:
    """What the embedded emulator does of each service in a second; with a peer, the ratios as a plot beside the JSON file. Takes minutes. Exit 1 where the
    peer is faster."""
    if peer:
        plot.check(out)

    def measure(tell: Callable[[str], None]) -> list[Figure]:
        figures, ratios = bench_emulator(repetitions, out, tell, peer, only)
        for path in plot.draw_ratios(ratios, out) if ratios else ():
            tell(f"plot: {path}")
        return figures

    return _measure(measure, out)


@main.command()
@click.option("--records", type=click.IntRange(min=100), default=5000, show_default=True, help="Events of each run.")
@_repetitions
@_out("bench-tuning.json")
def tuning(records: int, repetitions: int, out: Path) -> int:
    """The three parameter sets of the clickstream on the embedded emulator: latency, throughput, invocations, and their price on AWS; a plot beside
    the JSON file. Takes minutes."""
    plot.check(out)

    def measure(tell: Callable[[str], None]) -> list[Figure]:
        figures, panels = bench_tuning(records, repetitions, out, tell)
        for path in plot.draw_bars(panels, out):
            tell(f"plot: {path}")
        return figures

    return _measure(measure, out)


@main.command()
@click.option("--records", type=click.IntRange(min=1), default=5000, show_default=True, help="Records of each file.")
@_repetitions
@_out("bench-workflows.json")
def workflows(records: int, repetitions: int, out: Path) -> int:
    """The batches of the records pipeline as Standard and as Express executions: what each costs on AWS. Takes a minute."""
    return _measure(lambda tell: bench_workflows(records, repetitions, out, tell), out)


@main.command()
@click.option("--runs", type=click.IntRange(min=1), default=300, show_default=True, help="How many runs, one after the other.")
@_out("bench-soak.json")
def soak(runs: int, out: Path) -> int:
    """Many runs on one embedded emulator: does its memory, or the harness's, grow? Takes an hour. Exit 1 where it grows by more than a tenth."""
    return _measure(lambda tell: bench_soak(runs, out, tell), out)


@main.command()
@click.option("--scenario", default="clickstream-smoke", show_default=True)
@click.option("--records", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--schedules", type=click.IntRange(min=1), default=100, show_default=True, help="How many schedules of a round.")
@click.option("--depth", type=click.IntRange(1, 2), default=1, show_default=True, help="Faults in a schedule, at most.")
@click.option("--workers", type=click.IntRange(min=1), default=4, show_default=True, help="Runs at a time.")
@_repetitions
@_out("bench-explore.json")
def explore(scenario: str, records: int, schedules: int, depth: int, workers: int, repetitions: int, out: Path) -> int:
    """How many schedules `pipeproof explore` tries in a minute, on the embedded emulator. Takes minutes. Exit 1 where it is fewer than 60."""
    return _measure(
        lambda tell: bench_explore(scenario, records, Limits(depth, workers, most=schedules), repetitions, out, tell), out
    )


@main.command()
@click.argument("sizes", type=click.IntRange(min=1), nargs=-1, metavar="[RECORDS]...")
@click.option("--engine", "engines", type=click.Choice(ENGINES), multiple=True, help="May be given several times. [default: all]")
@_out("bench-reconcile.json")
def reconcile(sizes: tuple[int, ...], engines: tuple[str, ...], out: Path) -> int:
    """What it takes to reconcile so many records (default: one and ten million), by engine: seconds and memory. Spark needs `tox -e spark` and Java. Takes minutes."""
    out.parent.mkdir(parents=True, exist_ok=True)
    return _measure(lambda tell: bench_reconcile(sizes or (1_000_000, 10_000_000), engines or ENGINES, out, tell), out)


def _measure(measure: Callable[[Callable[[str], None]], list[Figure]], out: Path) -> int:
    console = Console()
    console.print(machine_load(), highlight=False)
    figures = measure(lambda step: console.print(f"  … {step}", highlight=False))
    shown = Table("figure", "median", "smallest – largest", "target", "", box=None)
    for row in table(figures):
        shown.add_row(*row)
    console.print(shown)
    console.print(f"{machine_load()}; {out}", highlight=False)
    return 1 if any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    main()
