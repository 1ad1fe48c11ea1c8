"""Which emulator a run gets, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.emulator.embedded import Embedded
from harness.emulator.external import External
from harness.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.emulator.emulator import Emulator


def choose_emulator(wanted: str, log: Path, *, allow_remote: bool = False) -> tuple[Emulator, str]:
    """`auto`, `embedded` or an endpoint's URL; returns the emulator, and a sentence that says which it is and why."""
    if wanted in {"auto", "embedded"}:
        why = "as asked for" if wanted == "embedded" else "the default: it needs Python only"
        return Embedded(log), f"embedded LocalStack ({why})"
    if "://" in wanted:
        return External(wanted, allow_remote=allow_remote), f"the endpoint {wanted} (as asked for)"
    message = f"--emulator {wanted}: expected auto, embedded, or the URL of an endpoint such as http://127.0.0.1:4566"
    raise UsageError(message)
