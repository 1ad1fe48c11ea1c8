"""Options that several commands have, and how their values are read."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from harness.accounting.engines import ENGINES
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

DEFAULT_ACCOUNT = "000000000000"
_MAX_USD = 1.0
SERVED_PORT = 8765
SHORTEST_SETTLE_S = 180

emulator_option = click.option(
    "--emulator",
    envvar="PIPEPROOF_EMULATOR",
    default="auto",
    show_default=True,
    help="container, embedded, auto (container where a Docker engine answers, else embedded), or the URL of an endpoint that runs already. [env: PIPEPROOF_EMULATOR]",
)


def _scenarios(_context: click.Context, _argument: click.Parameter, begun: str) -> list[CompletionItem]:
    """Completes the name of a scenario, or the path of a file."""
    from harness.scenario.catalogue import scenario_files  # noqa: PLC0415

    named = [CompletionItem(name) for name in scenario_files() if name.startswith(begun)]
    return [*named, CompletionItem(begun, type="file")]


def scenario_argument(**settings: Any) -> Callable[[F], F]:
    """Returns the argument SCENARIO, which shells complete."""
    return click.argument("scenario", shell_complete=_scenarios, **settings)


def _account(_context: click.Context, _option: click.Parameter, value: str) -> str:
    if not (len(value) == 12 and value.isascii() and value.isdecimal()):
        raise click.BadParameter("an AWS account id has 12 digits")
    return value


def origins(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d+)?", value) is None:
            raise click.BadParameter(f"{value!r} is no origin: expected a scheme, a host and a port, such as http://localhost:3000")
    return values


def _engine(_context: click.Context, _option: click.Parameter, value: str) -> str:
    from harness.accounting.engines import require  # noqa: PLC0415

    require(value)
    return value


engine_option = click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default=ENGINES[0],
    show_default=True,
    callback=_engine,
    help="What reconciles: DuckDB in this process, or Apache Spark for more records than that can hold.",
)

endpoint_option = click.option(
    "--emulator", metavar="URL", help="The endpoint of an emulator. [default: what `pipeproof up` left in this directory]"
)
remote_option = click.option("--allow-remote", is_flag=True, help="Let --emulator name another machine: data is really sent there.")

region_option = click.option("--region", help="On AWS: the region.")
endpoint_url_option = click.option(
    "--endpoint-url",
    metavar="URL",
    help="On AWS: a server that is taken for it, such as an emulator. It is asked for nothing that AWS does not answer.",
)

ignore_option = click.option(
    "--ignore-unsupported",
    is_flag=True,
    help="Deploy without what the emulator cannot make. Each is a doubt: the verdict of a run is unknown.",
)

account_option = click.option(
    "--account",
    default=DEFAULT_ACCOUNT,
    show_default=True,
    callback=_account,
    help="AWS account of the run: runs that share an endpoint need one each.",
)


@dataclass(frozen=True, slots=True)
class AwsTarget:
    """What the options say of a run on AWS."""

    region: str
    endpoint: str
    most_usd: float
    settle_s: float | None
    served_url: str = ""
    served_port: int = SERVED_PORT

    @property
    def options(self) -> list[str]:
        """Returns the options that say the same."""
        parts = ["--target", "aws", "--region", self.region, "--max-usd", f"{self.most_usd:g}"]
        parts += ["--endpoint-url", self.endpoint] if self.endpoint else []
        if self.served_url:
            parts += ["--served-url", self.served_url, "--served-port", str(self.served_port)]
        return parts + (["--settle", f"{self.settle_s:g}s"] if self.settle_s is not None else [])


def aws_options(command: F) -> F:
    """Adds the options of a run on AWS, of which `aws_target` makes what the command needs."""
    options = [
        click.option(
            "--target", type=click.Choice(["emulator", "aws"]), default="emulator", show_default=True,
            help="Where the pipeline runs. On AWS it costs money: --account and --region must be given.",
        ),
        region_option,
        endpoint_url_option,
        click.option(
            "--max-usd", type=click.FloatRange(min=0), callback=_finite,
            help=f"The most US$ that a run on AWS may cost, by the estimate that is made before it begins. [default: {_MAX_USD:g}]",
        ),
        click.option(
            "--settle", callback=_settle,
            help="On AWS: for how long nothing must change until the pipeline is at rest. [default: what its stack may need]",
        ),
        click.option(
            "--served-url",
            help="On AWS, for `to: served`: where the pipeline reaches this machine, such as the address of a tunnel to --served-port.",
        ),
        click.option(
            "--served-port", type=click.IntRange(1, 65535),
            help=f"The port of 127.0.0.1 that a `to: served` for AWS listens on. [default: {SERVED_PORT}]",
        ),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def aws_target(
    target: str, account: str, region: str | None, endpoint_url: str | None, max_usd: float | None, settle: float | None,
    served_url: str | None, served_port: int | None,
) -> AwsTarget | None:  # fmt: skip
    """Returns where on AWS a run is; None for an emulator. Raises UsageError for options that do not go together."""
    if target != "aws":
        if region or endpoint_url or served_url or not all(value is None for value in (max_usd, settle, served_port)):
            raise UsageError("--region, --endpoint-url, --max-usd, --settle, --served-url and --served-port are for --target aws")
        return None
    context = click.get_current_context()
    # A variable may name an emulator for other runs.
    if context.get_parameter_source("emulator") is ParameterSource.COMMANDLINE:
        raise UsageError("--emulator and --target aws exclude each other")
    if context.params.get("strict_runtime") or context.params.get("ignore_unsupported"):
        raise UsageError("--strict-runtime and --ignore-unsupported are about an emulator, and not for --target aws")
    require_account(account, region)
    assert region is not None
    if settle is not None and settle < SHORTEST_SETTLE_S and not endpoint_url:
        raise UsageError(
            f"--settle: AWS tells of what has happened up to {SHORTEST_SETTLE_S} s later; a shorter time would prove nothing"
        )
    if served_url and not _is_http(served_url):
        raise UsageError(f"--served-url {served_url}: expected http:// or https:// and a host")
    if served_port and not served_url:
        raise UsageError("--served-port: --served-url must say where AWS reaches it")
    most = _MAX_USD if max_usd is None else max_usd
    return AwsTarget(region, endpoint_url or "", most, settle, served_url or "", served_port or SERVED_PORT)


def _is_http(url: str) -> bool:
    try:
        address = urlsplit(url)
    except ValueError:
        return False
    return address.scheme in {"http", "https"} and bool(address.hostname)


def require_account(account: str, region: str | None) -> None:
    """Raises UsageError where a command on AWS does not say in which account and region."""
    if account == DEFAULT_ACCOUNT or not region:
        raise UsageError("on AWS --account and --region must be given: a run there makes things that cost money")


def _finite(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("expected a number of US$")
    return value


def _settle(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    return None if value is None else float(duration(_context, _option, value))


def moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    """Reads an ISO 8601 time (UTC where it has no zone), or how long ago, such as 90s, 15m, 2h or 7d."""
    try:
        return None if value is None else _moment(value, datetime.now(UTC))
    except (ValueError, OverflowError, OSError):
        message = f"{value!r} is neither a time such as 2026-01-31T12:00:00Z nor an age such as 90s, 15m, 2h or 7d"
        raise click.BadParameter(message) from None


def duration(_context: click.Context, _option: click.Parameter, value: str) -> int:
    """Reads a time in seconds, such as 90s, 15m or 2h."""
    seconds = _seconds(value)
    if not seconds:
        raise click.BadParameter(f"{value!r} is no duration such as 90s, 15m or 2h")
    return seconds


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(text: str) -> int | None:
    is_one = text[:-1].isascii() and text[:-1].isdecimal() and text[-1:] in _UNITS
    return int(text[:-1]) * _UNITS[text[-1]] if is_one else None


def _moment(text: str, now: datetime) -> datetime:
    if (seconds := _seconds(text)) is not None:
        return datetime.fromtimestamp(now.timestamp() - seconds, UTC)
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
