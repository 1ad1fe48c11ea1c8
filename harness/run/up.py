"""An emulator with a stack deployed, to work against: `up` leaves it running, `down` ends it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulator.clients import Clients
from harness.emulator.embedded import Embedded, stop_detached
from harness.emulator.stack import stack as stacks
from harness.errors import UsageError
from harness.run.scenario import substitute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.run.scenario import StackPart

STATE_DIR = Path(".pipeproof")


@dataclass(frozen=True, slots=True)
class Running:
    """An emulator that `up` left: `name` is the scenario's."""

    name: str
    pid: int
    work_dir: str
    endpoint: str
    outputs: Mapping[str, str]


def up(name: str, stack: StackPart, port: int) -> Running:
    """Starts an emulator that outlives this process, and deploys the stack to it.

    Raises UsageError where one is up here already, or the port is taken."""
    state = STATE_DIR / "up.json"
    before = read_state()
    if before is not None and _alive(before):
        message = f"{before.name} is up already at {before.endpoint}: `pipeproof down` ends it"
        raise UsageError(message)
    STATE_DIR.mkdir(exist_ok=True)
    emulator = Embedded(STATE_DIR.resolve() / "emulator.log", port, outlives_parent=True)
    description = emulator.start()
    try:
        values = {"endpoint": description.endpoint, "emulator.python_runtime": description.python_runtime}
        parameters = {key: substitute(value, values, f"stack.parameters.{key}") for key, value in stack.parameters.items()}
        deployed = stacks.deploy(Clients(description.endpoint), stack.template, parameters, name, emulator.check)
        running = Running(name, emulator.pid, str(emulator.work_dir), description.endpoint, dict(deployed.outputs))
        state.write_text(json.dumps(asdict(running), indent=2) + "\n")
        emulator.let_go()
    except BaseException:
        emulator.stop()
        raise
    return running


def down() -> Running:
    """Ends the emulator that `up` left here. Raises UsageError where there is none."""
    running = read_state()
    if running is None:
        message = f"nothing is up in {Path.cwd()}: `pipeproof up SCENARIO` starts something"
        raise UsageError(message)
    stop_detached(running.pid, Path(running.work_dir))
    (STATE_DIR / "up.json").unlink(missing_ok=True)
    return running


def read_state() -> Running | None:
    """What `up` noted in this directory."""
    try:
        return Running(**json.loads((STATE_DIR / "up.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _alive(running: Running) -> bool:
    try:
        os.kill(running.pid, 0)
    except ProcessLookupError:
        return False
    return True
