"""The command `pipeproof`. Commands and options; the work is done elsewhere."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness import __version__
from harness.accounting.verdict import Judgement
from harness.cli_looking import compare, graph, history, reconcile, report, trace
from harness.cli_running import down, logs, ps, query, redrive, sweep, up
from harness.cli_starting import check, init
from harness.cli_trying import explore, prove
from harness.errors import UnknownVerdictError
from harness.exits import EXIT, ErrorsAsMessages
from harness.interrupts import clean_up, held
from harness.options import (
    account_option,
    aws_options,
    aws_target,
    emulator_option,
    engine_option,
    ignore_option,
    remote_option,
    scenario_argument,
)

# What a command needs is imported when it runs: `--help` and `list` must answer at once.
if TYPE_CHECKING:
    from harness.aws.account import Aws
    from harness.options import AwsTarget
    from harness.run import events
    from harness.run.begin import Begun
    from harness.run.recipe import Recipe


@click.group(cls=ErrorsAsMessages, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="pipeproof")
def main() -> None:
    """Runs a serverless AWS pipeline on this machine and accounts for every record.

    Exit codes: 0 pass, 1 fail, 2 unknown (never a pass), 64 usage, 130 interrupted.
    """
    # What a run writes is the user's data: for this user alone.
    os.umask(0o077)


for _command in (
    up,
    down,
    ps,
    logs,
    redrive,
    query,
    sweep,
    init,
    check,
    trace,
    report,
    reconcile,
    compare,
    history,
    graph,
    prove,
    explore,
):
    main.add_command(_command)


@main.command()
@scenario_argument()
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the generator. [default: the scenario's]")
@click.option("--records", type=click.IntRange(1, 1_000_000_000), help="How many records. [default: the scenario's]")
@emulator_option
@click.option(
    "--input",
    "input_path",
    type=click.Path(path_type=Path),
    help="The file to replay, for scenarios that take one; - is standard input.",
)
@click.option(
    "--lookup", "lookup_path", type=click.Path(path_type=Path), help="What is looked up for its rows, for scenarios that do."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where run directories go.")
@account_option
@remote_option
@engine_option
@click.option(
    "--json", "as_json", is_flag=True, help="Write result.json to standard output in the end, and what is shown to standard error."
)
@click.option("--quiet", is_flag=True, help="Show the verdict alone, and why it is not a pass.")
@click.option(
    "--strict-runtime",
    is_flag=True,
    help="Refuse functions whose Python or Node.js is not the emulator's, in place of running them on it.",
)
@ignore_option
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that offer the load. A partition key stays with one of them, so that its records keep their order.",
)
@aws_options
def run(
    scenario: str, seed: int | None, records: int | None, emulator: str, input_path: Path | None, lookup_path: Path | None,
    out: Path, account: str, allow_remote: bool, engine: str, as_json: bool, quiet: bool, strict_runtime: bool, ignore_unsupported: bool,  # noqa: FBT001
    workers: int, target: str, region: str | None, endpoint_url: str | None, max_usd: float | None, settle: float | None,
    served_url: str | None, served_port: int | None,
) -> int:  # fmt: skip
    """Runs SCENARIO (a name from `pipeproof list`, or a .yaml file) and says whether any record was lost.

    Example: pipeproof run pipeproof.yaml --records 10000 --seed 7"""
    from harness.run.begin import begun  # noqa: PLC0415
    from harness.scenario.catalogue import find_scenario  # noqa: PLC0415

    aws = aws_target(target, account, region, endpoint_url, max_usd, settle, served_url, served_port)
    name, path = find_scenario(scenario)
    with begun(name, emulator, out, allow_remote=allow_remote, aws=_aws(aws, account, allow_remote=allow_remote)) as begin:
        with held():
            # The emulator starts meanwhile. An import that is interrupted would print a traceback.
            from harness.run.input_file import input_file  # noqa: PLC0415
            from harness.run.recipe import make_recipe, reproduce_command  # noqa: PLC0415
            from harness.run.workers import require_shareable  # noqa: PLC0415
            from harness.scenario.loading import load_scenario  # noqa: PLC0415
        loaded = load_scenario(path)
        if workers > 1:
            require_shareable(loaded.send)
        with input_file(input_path) as given:
            recipe = make_recipe(name, loaded, seed, records=records, input_path=given, lookup_path=lookup_path)
            command = reproduce_command(
                scenario, recipe.seed, records, "auto" if aws else emulator, input_path, account, lookup_path, strict_runtime=strict_runtime,
                ignore_unsupported=ignore_unsupported, workers=workers, target=aws.options if aws else (),
            )  # fmt: skip
            finished = _run(
                begin, recipe, command, account, aws=aws, allow_remote=allow_remote, strict_runtime=strict_runtime,
                ignore_unsupported=ignore_unsupported, quiet=quiet, as_json=as_json, engine=engine, workers=workers,
            )  # fmt: skip
    # What is left on AWS costs something: a CI job must not pass with it.
    return EXIT[finished.verdict.judgement] or (EXIT[Judgement.UNKNOWN] if finished.left else 0)


@main.command()
@emulator_option
@click.option("--records", type=click.IntRange(min=1), default=10_000, show_default=True, help="How many events.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where run directories go.")
@click.pass_context
def demo(context: click.Context, emulator: str, records: int, out: Path) -> int:
    """Shows what pipeproof does, without any file of yours: events through Kinesis, Lambda and S3, each accounted for. The same as `pipeproof run clickstream-10k`.

    Example: pipeproof demo --records 2000"""
    return int(context.invoke(run, scenario="clickstream-10k", emulator=emulator, records=records, out=out))


@main.command()
@click.argument("run_dir", type=click.Path(path_type=Path))
@emulator_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where run directories go.")
@account_option
@click.option(
    "--times",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How often: what concurrency decides differs each time.",
)
def replay(run_dir: Path, emulator: str, out: Path, account: str, times: int) -> int:
    """Runs RUN_DIR again, from what that run left: the same bytes, and the faults at the calls and invocations that carry the same records
    as those that they met. Says whether the same anomalies came, of the same records. The pipeline is what it is today.

    The exit code is that of the worst verdict: a fail, else unknown.

    Example: pipeproof replay runs/latest --times 10"""
    from harness.run.begin import begun  # noqa: PLC0415
    from harness.run.replay import recall  # noqa: PLC0415
    from harness.run.reproduced import compare  # noqa: PLC0415

    recipe, offered = recall(run_dir)
    # `latest` is this run then.
    again = run_dir.resolve() if run_dir.is_symlink() else run_dir
    judgements, same = [], 0
    for _ in range(times):
        with begun(recipe.name, emulator, out) as begin:
            finished = _run(begin, recipe, shlex.join(["pipeproof", "replay", str(again)]), account)
        if offered and finished.payload_sha256 and finished.payload_sha256 != offered:
            message = f"other bytes were offered than in {run_dir} (payload_sha256 differs): the generator has changed since"
            raise UnknownVerdictError(message)
        judgements.append(finished.verdict.judgement)
        for place in finished.not_repeated:
            click.echo(f"  {place} was written in another order than in {run_dir}: the pipeline has put something else there")
        found = compare(run_dir, finished.run_dir)
        if found is None:
            click.echo(f"  there is nothing to compare with {run_dir}: one of the two runs was not reconciled")
        else:
            same += found.same
            click.echo(f"  {'reproduced' if found.same else 'not reproduced'}: {found.text}")
    if times > 1:
        click.echo(f"reproduced {same} of {times}")
    return max(map(EXIT.__getitem__, judgements), key=[0, 2, 1].index)


def _aws(target: AwsTarget | None, account: str, *, allow_remote: bool) -> Aws | None:
    if target is None:
        return None
    from harness.aws.account import Aws  # noqa: PLC0415
    from harness.aws.served import ServedHere  # noqa: PLC0415

    served = ServedHere(target.served_url, target.served_port, account) if target.served_url else None
    return Aws(account, target.region, target.endpoint, served, allow_remote=allow_remote)


def _run(
    begin: Begun, recipe: Recipe, command: str, account: str, *, allow_remote: bool = False, strict_runtime: bool = False,
    ignore_unsupported: bool = False, quiet: bool = False, as_json: bool = False, engine: str = "duckdb",
    workers: int = 1, aws: AwsTarget | None = None,
) -> events.RunFinished:  # fmt: skip
    """Runs the recipe, and reports it on the terminal and in its run directory."""
    with held():
        from rich.console import Console  # noqa: PLC0415

        from harness.report.github import tell_github  # noqa: PLC0415
        from harness.report.html.page import left_report  # noqa: PLC0415
        from harness.report.run_record import record  # noqa: PLC0415
        from harness.report.terminal import Terminal, stdout_console  # noqa: PLC0415
        from harness.run.engine import conduct  # noqa: PLC0415
        from harness.run.on_aws import refuse, require_budget  # noqa: PLC0415
        from harness.run.recipe import open_load  # noqa: PLC0415
        from harness.run.replay import keep  # noqa: PLC0415
        from harness.run.state import Run  # noqa: PLC0415

    load = open_load(recipe)
    if aws:
        refuse(recipe, aws.endpoint, aws.served_url)
        begin = replace(begin, why=f"{begin.why}: {require_budget(recipe, load, aws.most_usd)}")
        # What runs there is on another machine, unless a server here is taken for it.
        allow_remote = allow_remote or not aws.endpoint
    planned = Run(
        recipe, load, begin.emulator, begin.why, command, begin.run_dir, account, allow_remote, strict_runtime,
        ignore_unsupported, engine=engine, workers=workers, settle_s=aws.settle_s if aws else None,
    )  # fmt: skip
    console = Console(stderr=True) if as_json else stdout_console()
    with Terminal(console, quiet=quiet) as terminal:
        keep(recipe, begin.run_dir)
        finished = record(begin.run_dir, conduct(planned), terminal.show)
    with held(), console.status("the report"):
        report = left_report(begin.run_dir)
    if not quiet:
        console.print(report, highlight=False, markup=False, soft_wrap=True)
    # GitHub's runner reads both; a program reads standard output.
    tell_github(finished, err=as_json)
    if as_json:
        click.echo((begin.run_dir / "result.json").read_text(encoding="utf-8"), nl=False)
    return finished


@main.command("list")
def list_scenarios() -> None:
    """Lists the scenarios, with one line each.

    Example: pipeproof list"""
    from harness.scenario.catalogue import description, scenario_files  # noqa: PLC0415

    files = scenario_files()
    width = max(map(len, files))
    for name, path in files.items():
        click.echo(f"{name:<{width}}  {description(path)}")


@main.command()
@click.argument("endpoint", required=False)
@emulator_option
@click.option("--service", "names", multiple=True, help="Only the rules of this service; may be given several times.")
@click.option("--python-runtime", default="python3.13", show_default=True, help="Runtime of the functions at ENDPOINT.")
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Tests at a time.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Also writes the result as a page.")
def conformance(
    endpoint: str | None, emulator: str, names: tuple[str, ...], python_runtime: str, workers: int, markdown: Path | None
) -> int:
    """Checks which rules of AWS's documentation an emulator keeps: ENDPOINT (a URL), or ours where none is given.

    Exit 0 where every rule is kept but those that are known not to be, 1 otherwise.

    Example: pipeproof conformance http://127.0.0.1:4566 --service sqs"""
    from rich.console import Console  # noqa: PLC0415

    from harness.emulator.external import External  # noqa: PLC0415
    from harness.report.conformance import run_rules  # noqa: PLC0415

    if endpoint is not None:
        # Whoever names another machine's wants it to be checked.
        External(endpoint, allow_remote=True)
    clean_up()
    return run_rules(Console(), endpoint, emulator, names, python_runtime, workers, markdown)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Writes what makes SHELL complete commands, options and names of scenarios, for the file that it reads when it starts.

    Example: pipeproof completion bash >> ~/.bashrc"""
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    of_shell = get_completion_class(shell)
    assert of_shell is not None
    click.echo(of_shell(main, {}, "pipeproof", "_PIPEPROOF_COMPLETE").source())


@main.command()
@click.option("--patches", is_flag=True, help="List the patches of LocalStack, with the reason of each.")
def version(patches: bool) -> None:  # noqa: FBT001
    """Shows the versions of pipeproof, Python and LocalStack, and the patches of LocalStack that do not apply to this version of it.

    Example: pipeproof version --patches"""
    from harness.emulator.embedded import localstack_version  # noqa: PLC0415

    python = ".".join(str(part) for part in sys.version_info[:3])
    installed = localstack_version()
    click.echo(f"pipeproof {__version__} (Python {python}, LocalStack {installed or 'not installed'})")
    if installed is None:
        return
    from harness.inside.patches.apply import PATCHES  # noqa: PLC0415

    problems_of = [(patch, "; ".join(patch.problems())) for patch in PATCHES]
    click.echo(
        f"{len(PATCHES)} patches of LocalStack, where it has no plugin point; {sum(bool(problems) for _, problems in problems_of) or 'none'} do not apply"
    )
    for patch, problems in problems_of:
        if patches or problems:
            click.echo(
                f"  {patch.module}: {', '.join(sorted(patch.expects))}" + (f"  does not apply: {problems}" if problems else "")
            )
            click.echo(f"    {patch.reason}")


if __name__ == "__main__":
    main()
