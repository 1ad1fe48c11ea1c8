"""The commands that look at runs which have ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from harness.options import engine_option


@click.command()
@click.argument("record_id")
@click.argument("run_dir", type=click.Path(path_type=Path), default=Path("runs/latest"))
def trace(record_id: str, run_dir: Path) -> None:
    """Tells the way of RECORD_ID through the pipeline in RUN_DIR (default: runs/latest): what was answered, every invocation and call that carried it,
    the faults that it met, what the functions logged, and where it was seen.

    Example: pipeproof trace 78AFE7C4-73C9-4BC5-ACF1-5CE3D4305A9E runs/latest"""
    from harness.report.way import told  # noqa: PLC0415
    from harness.run.run_dir import require_run  # noqa: PLC0415

    require_run(run_dir)
    for line in told(run_dir, record_id):
        click.echo(line)


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path), default=Path("runs/latest"))
@click.option("--open/--no-open", "opens", default=None, help="Open it in a browser. [default: where a person sits at a terminal]")
@click.option(
    "--otlp",
    metavar="FILE|URL",
    help="Write the hops of the run as spans of OpenTelemetry, to a file or to a collector such as http://127.0.0.1:4318; no report is made.",
)
@click.option("--allow-remote", is_flag=True, help="Let --otlp name another machine: data is really sent there.")
def report(run_dir: Path, opens: bool | None, otlp: str | None, allow_remote: bool) -> None:  # noqa: FBT001
    """Writes the HTML report of RUN_DIR (default: runs/latest) anew, with this version of pipeproof, and opens it: where the records went, what went wrong and
    when, and the way of a record. It is one file, which needs no network.

    Example: pipeproof report runs/latest --no-open"""
    import sys  # noqa: PLC0415
    import webbrowser  # noqa: PLC0415

    from harness.run.run_dir import require_run  # noqa: PLC0415

    require_run(run_dir)
    if otlp is not None:
        from harness.report.spans import send_spans  # noqa: PLC0415

        click.echo(f"{send_spans(run_dir, otlp, allow_remote=allow_remote):,} spans to {otlp}")
        return
    from harness.report.html.page import write_report  # noqa: PLC0415

    path = write_report(run_dir).resolve()
    click.echo(path)
    if (sys.stdout.isatty() if opens is None else opens) and not webbrowser.open(path.as_uri()):
        click.echo("no browser could be started here: open the file in one", err=True)


@click.command()
@click.argument("run_dir", type=click.Path(path_type=Path), default=Path("runs/latest"))
@engine_option
def reconcile(run_dir: Path, engine: str) -> int:
    """Makes the account of RUN_DIR (default: runs/latest) anew from what was offered and what was seen, and compares it with that of result.json. Allowances and checks of the scenario
    are not looked at.

    Exit 0 where the account is the same, 1 where it is not, 2 where that run was not reconciled: then there is nothing to compare with.

    Example: pipeproof reconcile runs/latest --engine spark"""
    from rich.console import Console  # noqa: PLC0415

    from harness.report.progress import progress  # noqa: PLC0415
    from harness.run.recount import recount  # noqa: PLC0415

    with progress(Console(stderr=True)) as tell:
        tell(f"{engine} reconciles")
        found = recount(run_dir, engine)
    for part in (found.account.ingress, found.account.outcome, found.account.anomalies):
        counts = part if isinstance(part, Mapping) else asdict(part)
        click.echo("  ".join(f"{name} {count:,}" for name, count in counts.items()))
    for line in found.differences:
        click.echo(line)
    if found.is_new:
        click.echo("result.json has no account: there is nothing to compare with")
        return 2
    click.echo(
        f"{len(found.differences)} figures differ from result.json" if found.differences else "the account is that of result.json"
    )
    return 1 if found.differences else 0


def _finite(_context: click.Context, _option: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter("expected a number of percent")
    return value


@click.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path), default=Path("runs/latest"))
@click.option(
    "--threshold",
    type=click.FloatRange(min=0, max=1_000_000),
    callback=_finite,
    default=20,
    show_default=True,
    help="By how many percent a time may grow, and a rate fall.",
)
def compare(before: Path, after: Path, threshold: float) -> int:
    """Says what is worse in the run AFTER (default: runs/latest) than in the run BEFORE, of the same scenario: the verdict, the account, times and rates, and
    which classes of inputs and which faults there were.

    Exit 0 where nothing is, 1 on a regression, 2 where there is none and the verdict of AFTER is unknown.

    Example: pipeproof compare runs/20260101T120000-pipeproof runs/latest --threshold 30"""
    import sys  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from harness.report import comparison  # noqa: PLC0415
    from harness.run.run_dir import require_run  # noqa: PLC0415

    require_run(before)
    require_run(after)
    found = comparison.compare(before, after, threshold / 100)
    console = Console() if sys.stdout.isatty() else Console(width=140)
    console.print(comparison.table(found))
    for note in found.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    regressions = found.regressions
    console.print(
        f"{len(regressions)} of {len(found.lines)} figures are worse: {', '.join(line.name for line in regressions)}"
        if regressions
        else "nothing is worse",
        highlight=False,
        markup=False,
    )
    return found.exit_code


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path("runs/latest"))
@click.option(
    "--format", "form", type=click.Choice(["mermaid", "svg"]), default="mermaid", show_default=True, help="How it is written."
)
def graph(path: Path, form: str) -> None:
    """Draws what the resources of a stack do with each other, as a Mermaid flowchart or as SVG: who feeds whom, who writes where, and what takes what was given up. PATH
    is a template, or the directory of a run (default: runs/latest), which adds invocations and the records that were seen.

    Example: pipeproof graph template.yaml --format svg > pipeline.svg"""
    from harness.report.diagram import svg  # noqa: PLC0415
    from harness.report.picture import mermaid, picture  # noqa: PLC0415
    from harness.run.run_dir import require_run  # noqa: PLC0415

    if not path.suffix:
        require_run(path)
    for line in (svg if form == "svg" else mermaid)(*picture(path)):
        click.echo(line)


@click.command()
@click.argument("out", type=click.Path(path_type=Path), default=Path("runs"))
@click.option("--scenario", help="Only runs of this scenario.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path),
    help="Write a page of them, with how they changed, and links to their reports.",
)
def history(out: Path, scenario: str | None, page: Path | None) -> None:
    """Lists the runs in the directory OUT (default: runs), the oldest first: verdict, account, latency and rate.

    Example: pipeproof history runs --scenario clickstream-smoke"""
    import sys  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415

    from harness.report import history as of_runs  # noqa: PLC0415
    from harness.run.run_dir import require_run  # noqa: PLC0415

    require_run(out)
    if page is not None:
        click.echo(f"{of_runs.page(out, scenario, page):,} runs in {page}")
        return
    table, told = of_runs.history(out, scenario)
    # A log has no width.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)
    console.print(told, highlight=False, markup=False)
