"""The commands for a scenario that has not run yet: `init` writes one for a template, `check` says whether one will run."""

from __future__ import annotations

import os
from pathlib import Path

import click

from harness.errors import UsageError
from harness.options import ignore_option, scenario_argument


@click.command()
@click.argument("template", type=click.Path(path_type=Path))
@click.option(
    "--sample", type=click.Path(path_type=Path), help="Records as they come: CSV, JSON, JSON lines, or the event of a function."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("pipeproof.yaml"), show_default=True, help="The scenario file to write."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def init(template: Path, sample: Path | None, out: Path, force: bool) -> None:  # noqa: FBT001
    """Writes a scenario for TEMPLATE, of SAM or CloudFormation: its way in, a load with the fields of the sample (or of the function's own model), and the places where
    records may end. What will not run is told in its comments.

    Example: pipeproof init template.yaml --sample events/order.json && pipeproof run pipeproof.yaml"""
    from harness.documents import require_regular  # noqa: PLC0415
    from harness.draft.document import written  # noqa: PLC0415
    from harness.draft.draft import draft  # noqa: PLC0415
    from harness.run.check import problems  # noqa: PLC0415

    require_regular(template, "template")
    if out.exists() and not force:
        raise UsageError(f"{out} exists: --force overwrites it, --out names another file")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent} is no directory: --out names a file in one")
    shown = os.path.relpath(template.absolute(), out.absolute().parent)
    unsupported = problems(template)
    made = draft(template, sample, shown, unsupported)
    try:
        out.write_text(written(made), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from error
    click.echo(f"{out} is written. Next: pipeproof run {out}")
    for one in unsupported:
        click.echo(f"  will not run: {one}")
    for key in made.document:
        for line in made.comments.get(key, []):
            if not line.startswith("WILL NOT RUN"):
                click.echo(f"  {key}: {line}")


@click.command()
@scenario_argument()
@ignore_option
def check(scenario: str, ignore_unsupported: bool) -> None:  # noqa: FBT001
    """Says whether SCENARIO will run, without an emulator: reads it and its template, draws its load, and builds the packages of its functions.

    Exit 0 where it will, 64 where something is wrong, with file, line and key.

    Example: pipeproof check pipeproof.yaml"""
    from harness.run.check import check as check_scenario  # noqa: PLC0415
    from harness.scenario.catalogue import find_scenario  # noqa: PLC0415

    name, path = find_scenario(scenario)
    for line in check_scenario(name, path, ignore=ignore_unsupported):
        click.echo(line)
    click.echo(f"{name} will run: pipeproof run {scenario}")
