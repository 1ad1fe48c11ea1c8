"""An emulator with a stack deployed, to work against: `up` leaves it running, `down` ends it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.documents import MISTYPED, read_json
from harness.emulator import tokens
from harness.emulator.choose import choose_own, detached_runs, is_handle, stop_detached
from harness.emulator.clients import Clients
from harness.emulator.external import External
from harness.errors import UsageError
from harness.run.watch import watch
from harness.scenario.references import substitute
from harness.stack import deploy as stacks
from harness.stack.resources import made_resources
from harness.stack.runtimes import needs_node

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.emulator.emulator import Description
    from harness.scenario.scenario import StackPart

STATE_DIR = Path(".pipeproof")
STATE = STATE_DIR / "up.json"
_ASKED_FOR = {
    f"AWS::{name}"
    for name in (
        "ApiGateway::RestApi", "ApiGatewayV2::Api", "DynamoDB::Table", "Events::EventBus", "Kinesis::Stream", "KinesisFirehose::DeliveryStream",
        "Lambda::Function", "Logs::LogGroup", "S3::Bucket", "SNS::Topic", "SQS::Queue", "StepFunctions::StateMachine",
    )
}  # fmt: skip
_REMEDY = (
    "The emulator may still run: a container pipeproof-up-…, or the process that listens at its port (4566, where no other was asked for). "
    "End it, and remove the file"
)


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that `up` left: `name` is the scenario's, `emulator` finds it again. `resources` has the deployment's names by those of the template."""

    name: str
    emulator: Mapping[str, Any]
    endpoint: str
    outputs: Mapping[str, str]
    resources: Mapping[str, str] = field(default_factory=dict)


def up(
    name: str, stack: StackPart, port: int, emulator: str, origins: Sequence[str], tell: Callable[[str], None], *,
    ignore_unsupported: bool = False,
) -> Running:  # fmt: skip
    """Starts an emulator (auto, embedded or container) that outlives this process, and deploys the stack to it. Web pages of the `origins` may ask it.

    Raises UsageError where one is up here already, or the port is taken."""
    before = read_state()
    if before is not None and detached_runs(before.emulator):
        message = f"{before.name} is up already at {before.endpoint}: `pipeproof down` ends it"
        raise UsageError(message)
    try:
        STATE_DIR.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{STATE_DIR}: {error.strerror}: `pipeproof up` keeps its notes there") from error
    chosen, why = choose_own(emulator, STATE_DIR.resolve() / "emulator.log", port, stays=True, origins=origins)
    tell(f"starting {why}")
    for step in chosen.prepare(node=needs_node(stack.template, stack.parameters)):
        tell(step)
    description = chosen.start()
    tell(f"deploying the stack of {name}")
    try:
        clients = Clients(description.endpoint)
        parameters = _parameters(stack, clients, description)
        wish = stacks.Wish(abilities=description.abilities, ignore=ignore_unsupported)
        deployed = stacks.deploy(clients, stack.template, parameters, name, chosen.check, wish)
        running = Running(name, chosen.let_go(), description.endpoint, dict(deployed.outputs), _resources(clients))
        _note(running)
    except BaseException:
        chosen.stop()
        raise
    return running


def _resources(clients: Clients) -> dict[str, str]:
    """Returns what people ask for by its name."""
    return {one.name: one.made for one in made_resources(clients) if one.type in _ASKED_FOR}


def is_up(name: str) -> bool:
    """Returns whether the stack of this scenario is up here."""
    running = read_state()
    return running is not None and running.name == name and detached_runs(running.emulator)


def watching(name: str, stack: StackPart) -> Iterator[str]:
    """Yields what of the stack that is up has changed and was put in place, until it is interrupted. Raises UsageError where another one is up, or nothing."""
    running = read_state()
    if running is None or running.name != name:
        raise UsageError(f"{name} is not up here" + (f": {running.name} is" if running else ""))
    emulator = External(running.endpoint)
    description = emulator.start()
    clients = Clients(description.endpoint)
    parameters = _parameters(stack, clients, description)
    yield from watch(clients, stack.template, parameters, name, description.abilities, emulator.check)


def _parameters(stack: StackPart, clients: Clients, description: Description) -> dict[str, str]:
    values = {
        "account": clients.account,
        "endpoint": description.endpoint,
        "emulator.python_runtime": description.python_runtime,
    }
    return {key: substitute(value, values, f"stack.parameters.{key}") for key, value in stack.parameters.items()}


def down() -> Running:
    """Ends the emulator that `up` left here. Raises UsageError where there is none."""
    running = read_state()
    if running is None:
        message = f"nothing is up in {Path.cwd()}: `pipeproof up SCENARIO` starts something"
        raise UsageError(message)
    stop_detached(running.emulator)
    tokens.remove(urlsplit(running.endpoint).port or 0)
    STATE.unlink(missing_ok=True)
    return running


def attached(endpoint: str | None, account: str, *, allow_remote: bool) -> tuple[Clients, Callable[[], None]]:
    """Returns clients of the endpoint, or of the one that `pipeproof up` left in this directory, and what raises where it is gone.

    Raises UsageError where there is none, or nothing answers there."""
    if endpoint is None:
        running = read_state()
        if running is None:
            raise UsageError("which emulator? nothing is up in this directory (`pipeproof up SCENARIO`), and --emulator names none")
        endpoint = running.endpoint
    emulator = External(endpoint, allow_remote=allow_remote)
    return Clients(emulator.start().endpoint, account), emulator.check


def read_state() -> Running | None:
    """Returns what `up` noted in this directory; None where nothing is noted. Raises UsageError for a note that names no emulator."""
    if not STATE.exists():
        return None
    try:
        running = Running(**read_json(STATE, "the note of `pipeproof up`"))
        whole = urlsplit(running.endpoint).port is not None and is_handle(running.emulator)
    except UsageError as error:
        raise UsageError(f"{error}. {_REMEDY}") from error
    except MISTYPED:
        whole = False
    if not whole:
        raise UsageError(f"{STATE} names no emulator that `pipeproof up` started. {_REMEDY}")
    return running


def _note(running: Running) -> None:
    """Writes the note whole or not at all."""
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps(asdict(running), indent=2) + "\n")
    new.replace(STATE)
