"""Which emulator a run gets, and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.emulator import container, embedded
from harness.emulator.external import External
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.emulator.emulator import Detachable, Emulator

_KINDS: Mapping[str, Callable[..., Detachable]] = {"container": container.Container, "embedded": embedded.Embedded}
_EXPECTED = "expected auto, embedded, container"


def choose_emulator(wanted: str, log: Path, *, allow_remote: bool = False) -> tuple[Emulator, str]:
    """Returns the emulator for `auto`, `embedded`, `container` or an endpoint's URL, and a sentence that says which it is and why.

    Raises UsageError where it cannot be had here."""
    if "://" in wanted:
        return External(wanted, allow_remote=allow_remote), f"the endpoint {wanted} (as asked for)"
    if wanted not in {"auto", *_KINDS}:
        message = f"--emulator {wanted}: {_EXPECTED}, or the URL of an endpoint such as http://127.0.0.1:4566"
        raise UsageError(message)
    return choose_own(wanted, log)


def choose_several(wanted: str, logs: Path, workers: int) -> tuple[list[Emulator], str]:
    """Returns emulators for so many runs at a time, each with a log in the folder `logs`, and a sentence that says what they are and why: one for each core, because an
    emulator keeps one core busy; of an endpoint only itself.

    Raises UsageError where they cannot be had here."""
    many = 1 if "://" in wanted else min(workers, os.cpu_count() or 1)
    chosen = [choose_emulator(wanted, logs / f"emulator-{number}.log") for number in range(1, many + 1)]
    return [emulator for emulator, _ in chosen], f"{many} x {chosen[0][1]}"


def choose_own(
    wanted: str, log: Path, port: int | None = None, *, stays: bool = False, origins: Sequence[str] = ()
) -> tuple[Detachable, str]:
    """Returns an emulator that this machine starts: `auto`, `embedded` or `container`."""
    if wanted in _KINDS:
        return _KINDS[wanted](log, port, stays=stays, origins=origins), f"{wanted} LocalStack (as asked for)"
    if wanted != "auto":
        message = f"--emulator {wanted}: {_EXPECTED}"
        raise UsageError(message)
    try:
        return container.Container(log, port, stays=stays, origins=origins), "container LocalStack (auto: a Docker engine answers)"
    except UsageError as error:
        why = str(error).partition(": ")[0]
        return embedded.Embedded(log, port, stays=stays, origins=origins), f"embedded LocalStack (auto: {why})"


def is_handle(handle: Any) -> bool:
    """Returns whether this is what some emulator's `let_go` returned, by its form: a note of another's may name anything."""
    match handle:
        case {"kind": "container", "name": str(name), "network": str(network)}:
            return name.startswith(container.STAYS) and network.startswith(container.NAME)
        case {"kind": "embedded", "pid": int(pid), "work_dir": str(work_dir)}:
            return 0 < pid < 1 << 31 and "\0" not in work_dir
        case _:
            return False


def stop_detached(handle: Mapping[str, Any]) -> None:
    """Ends an emulator that stayed, from what its `let_go` returned."""
    if handle["kind"] == "container":
        container.stop_detached(handle["name"], handle["network"])
    else:
        embedded.stop_detached(handle["pid"], Path(handle["work_dir"]))


def detached_runs(handle: Mapping[str, Any]) -> bool:
    """Returns whether a detached emulator still runs."""
    if handle["kind"] == "container":
        return container.runs(handle["name"])
    return embedded.runs(handle["pid"], Path(handle["work_dir"]))
