"""The commands that work with an emulator that runs: `up` and `down`, and what asks it something."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import click

from harness.exits import EXIT
from harness.interrupts import clean_up
from harness.options import (
    account_option,
    emulator_option,
    endpoint_option,
    endpoint_url_option,
    ignore_option,
    moment,
    origins,
    region_option,
    remote_option,
    require_account,
    scenario_argument,
)

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from harness.scenario.scenario import StackPart


@click.command()
@scenario_argument(default="clickstream-smoke")
@click.option("--port", type=click.IntRange(1, 65535), default=4566, show_default=True, help="Port of 127.0.0.1 to listen on.")
@click.option(
    "--allow-origin", "origins", metavar="ORIGIN", multiple=True, callback=origins,
    help="Lets the web pages of this origin ask the emulator, such as http://localhost:3000. Without it no page can.",
)  # fmt: skip
@emulator_option
@ignore_option
@click.option(
    "--watch",
    is_flag=True,
    help="Stay, and put what is saved in place: code of functions within a second or so. Also for a stack that is up already.",
)
def up(scenario: str, port: int, emulator: str, origins: tuple[str, ...], ignore_unsupported: bool, watch: bool) -> None:  # noqa: FBT001
    """Starts an emulator with the stack of SCENARIO deployed, and leaves it running until `pipeproof down`.

    Example: pipeproof up pipeproof.yaml --watch"""
    from rich.console import Console  # noqa: PLC0415

    from harness.report.progress import progress  # noqa: PLC0415
    from harness.run.up import is_up  # noqa: PLC0415
    from harness.run.up import up as bring_up  # noqa: PLC0415
    from harness.scenario.catalogue import find_scenario  # noqa: PLC0415
    from harness.scenario.loading import load_scenario  # noqa: PLC0415

    name, path = find_scenario(scenario)
    clean_up()
    console = Console()
    stack = load_scenario(path).stack
    if watch and is_up(name):
        _watch(console, name, stack)
        return
    with progress(Console(stderr=True)) as tell:
        running = bring_up(name, stack, port, emulator, origins, tell, ignore_unsupported=ignore_unsupported)
    console.print(f"{name} is up ({running.emulator['kind']}). In a shell:\n", highlight=False)
    console.print(f"  export AWS_ENDPOINT_URL={running.endpoint} AWS_DEFAULT_REGION=us-east-1", highlight=False, soft_wrap=True)
    console.print("  export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=dummy", highlight=False, soft_wrap=True)
    console.print("  export AWS_DISABLE_HOST_PREFIX_INJECTION=true", highlight=False, soft_wrap=True)
    # Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS. It has a table of SQS addresses, which only --endpoint-url overrides.
    console.print(
        '  aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }\n', highlight=False, markup=False, soft_wrap=True
    )
    for key, value in {**running.resources, **running.outputs}.items():
        console.print(f"  {key:<28} {value}", highlight=False, markup=False, soft_wrap=True)
    console.print("\nIt stays until `pipeproof down` (in this directory).", highlight=False)
    if watch:
        _watch(console, name, stack)


def _watch(console: Console, name: str, stack: StackPart) -> None:
    from harness.run.up import watching  # noqa: PLC0415

    try:
        for line in watching(name, stack):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    except KeyboardInterrupt:
        console.print(f"no longer watching; {name} stays up until `pipeproof down`", highlight=False, markup=False)


@click.command()
def down() -> None:
    """Ends the emulator that `pipeproof up` left in this directory.

    Example: pipeproof down"""
    from harness.run.up import down as take_down  # noqa: PLC0415

    running = take_down()
    click.echo(f"{running.name} is down")


@click.command()
@click.argument("source")
@click.option("--to", "target", help="The queue that takes them, by name or URL. Without it they are only listed.")
@click.option("--error", "errors", multiple=True, help="Only letters with this error; may be given several times.")
@click.option(
    "--id",
    "ids",
    multiple=True,
    help="Only the letter with this message id, record id or SHARD/SEQUENCE; may be given several times.",
)
@click.option(
    "--since", callback=moment, help="Only what was sent (or put) then or later: an ISO 8601 time, or how long ago, such as 2h."
)
@click.option("--until", callback=moment, help="Only what was sent (or put) before then.")
@click.option("--dry-run", is_flag=True, help="Tell what would be moved, and move nothing.")
@click.option(
    "--visibility-timeout",
    "hidden_s",
    type=click.IntRange(1, 43200),
    default=60,
    show_default=True,
    help="Seconds for which a message is hidden from others while it is moved.",
)
@click.option(
    "--emulator", metavar="URL", help="The endpoint of an emulator. [default: what `pipeproof up` left in this directory]"
)
@account_option
@click.option("--allow-remote", is_flag=True, help="Let --emulator name another machine.")
def redrive(
    source: str, target: str | None, errors: tuple[str, ...], ids: tuple[str, ...], since: datetime | None, until: datetime | None,
    dry_run: bool, hidden_s: int, emulator: str | None, account: str, allow_remote: bool,  # noqa: FBT001
) -> int:  # fmt: skip
    """Lists the letters of the dead-letter queue SOURCE (its name, logical id or URL), and with --to moves them to where they are tried again. Each is deleted only once the other
    queue has it, so a redrive that is killed can be run again. With s3://BUCKET/PREFIX it tells a queue again of the objects there.

    Exit 0 where all that was chosen is moved (or listed), 1 where some were refused, 2 where another reader has some.

    Example: pipeproof redrive letters --to events --error TimeoutError --since 2h"""
    from rich.console import Console  # noqa: PLC0415

    from harness.parts.redriving import Chosen  # noqa: PLC0415
    from harness.report.redriven import told  # noqa: PLC0415
    from harness.run.redrive import Redriven, Task  # noqa: PLC0415
    from harness.run.redrive import redrive as steps  # noqa: PLC0415
    from harness.run.up import attached  # noqa: PLC0415

    times = [at.timestamp() if at else bound for at, bound in ((since, 0.0), (until, math.inf))]
    task = Task(source, target, Chosen(frozenset(errors), frozenset(ids), *times), dry_run, hidden_s)
    clients, check = attached(emulator, account, allow_remote=allow_remote)
    clean_up()
    done = Redriven()
    return EXIT[told(Console(), task, done, steps(clients, task, check, done), time.time())]


@click.command()
@click.argument("statement")
@click.option("--database", help="The database of Glue's catalogue. [default: the only one]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How the rows are written.",
)
@endpoint_option
@account_option
@remote_option
def query(statement: str, database: str | None, form: str, emulator: str | None, account: str, allow_remote: bool) -> None:  # noqa: FBT001
    """Runs the SQL STATEMENT over the emulated lake, by Athena: the tables are those of Glue's catalogue, the objects those in S3. Says how many bytes
    were scanned.

    Example: pipeproof query 'SELECT count(*) FROM events' --format csv"""
    from harness.report.rows import written  # noqa: PLC0415
    from harness.run.query import query as run_query  # noqa: PLC0415
    from harness.run.up import attached  # noqa: PLC0415

    clients, check = attached(emulator, account, allow_remote=allow_remote)
    clean_up()
    written(run_query(clients, statement, database, check), form)


@click.command()
@click.argument("function")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until it is interrupted.")
@click.option("--record", "text", default="", metavar="ID", help="Only lines with this text, such as the id of a record.")
@click.option("--since", callback=moment, help="Only what was logged then or later: an ISO 8601 time, or how long ago, such as 2h.")
@endpoint_option
@account_option
@remote_option
def logs(
    function: str, follow: bool, text: str, since: datetime | None, emulator: str | None, account: str, allow_remote: bool,  # noqa: FBT001
) -> None:  # fmt: skip
    """Shows what FUNCTION has logged: its logical id in the template, or its name. The emulator is the one that `pipeproof up` left in this directory.

    Example: pipeproof logs IngestFunction --follow --since 5m"""
    from harness.run.logs import lines, log_group  # noqa: PLC0415
    from harness.run.up import attached  # noqa: PLC0415

    clients, check = attached(emulator, account, allow_remote=allow_remote)
    clean_up()
    group = log_group(clients, function)
    try:
        told = False
        for line in lines(clients, group, since.timestamp() if since else 0.0, text, check, follow=follow):
            told = True
            click.echo(line)
        if not told:
            click.echo(f"{function} has logged nothing" + (f" with {text!r}" if text else "") + " yet", err=True)
    except KeyboardInterrupt:
        if not follow:
            raise


@click.command()
@endpoint_option
@account_option
@remote_option
def ps(emulator: str | None, account: str, allow_remote: bool) -> None:  # noqa: FBT001
    """Tells what is under way, and where: records before mappings, messages in queues, invocations, executions. The emulator is the one that `pipeproof up` left in
    this directory.

    Example: pipeproof ps"""
    from harness.run.drain import WAITING, under_way  # noqa: PLC0415
    from harness.run.up import attached  # noqa: PLC0415
    from harness.stack.resources import template_names  # noqa: PLC0415

    clients, check = attached(emulator, account, allow_remote=allow_remote)
    check()
    rows = list(under_way(clients.endpoint, clients.account, template_names(clients, WAITING)))
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:2]]
    for count, where, more in rows:
        click.echo(f"{count:<{widths[0]}}  {where:<{widths[1]}}  {more}".rstrip())
    if not rows:
        click.echo("at rest: nothing is under way, and every queue is empty")


@click.command()
@account_option
@region_option
@endpoint_url_option
@remote_option
@click.option(
    "--delete", is_flag=True, help="Remove them, with all that their buckets hold. A run that is still going on loses its stack."
)
def sweep(account: str, region: str | None, endpoint_url: str | None, allow_remote: bool, delete: bool) -> int:  # noqa: FBT001
    """Names the stacks that runs have left on AWS (`run --target aws`), by their tag; with --delete removes them.

    Exit 0 where nothing is left, 1 where something is.

    Example: pipeproof sweep --account 123456789012 --region eu-central-1 --delete"""
    from harness.aws.account import Aws  # noqa: PLC0415
    from harness.aws.teardown import leftovers, remove  # noqa: PLC0415

    require_account(account, region)
    assert region is not None
    clean_up()
    clients = Aws(account, region, endpoint_url or "", allow_remote=allow_remote).start().clients(account)
    found = leftovers(clients)
    left = False
    for stack in found:
        if not delete:
            click.echo(f"stack {stack}")
            left = True
            continue
        stays = remove(clients, stack)
        click.echo(f"stack {stack}: {'some of it is left' if stays else 'removed'}")
        for one in stays:
            click.echo(f"  {one}")
        left = left or bool(stays)
    if not found:
        click.echo(f"nothing is left in account {account}, {region}")
    return int(left)
