"""Whether a LocalStack answers, and what it says of itself."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import urllib3

from harness.emulator import tokens
from harness.emulator.emulator import Abilities
from harness.errors import UnknownVerdictError, UsageError
from harness.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START_TIMEOUT_S = 60
# A LocalStack under load may leave a request waiting for seconds; one that ran and is silent for so long is taken for dead.
SILENCE_S = 60
_ANSWERS_WITHIN_S = 5
_POLL_S = 0.05
_LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Health:
    """`python_runtime` is the Lambda runtime identifier that the emulator runs. Without pipeproof inside it has no `abilities`."""

    edition: str
    version: str
    python_runtime: str
    abilities: Abilities | None


def ask(endpoint: str, within_s: float = _ANSWERS_WITHIN_S) -> Health:
    """Raises urllib3's HTTPError or ValueError where no LocalStack answers, UsageError where it wants a token that this user does not have."""
    with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=_ANSWERS_WITHIN_S, read=within_s)) as pool:
        answer = pool.request("GET", f"{endpoint}/_localstack/health")
        if answer.status != 200:
            message = f"{endpoint}/_localstack/health answers {answer.status}"
            raise ValueError(message)
        health = answer.json()
        ours = pool.request("GET", f"{endpoint}/_pipeproof/emulator", headers=tokens.headers(endpoint))
        if ours.status == 403:
            message = f"{endpoint} wants a token: set PIPEPROOF_TOKEN (docs/emulators.md): {ours.data.decode(errors='replace')}"
            raise UsageError(message)
    edition, version = str(health.get("edition", "unknown")), str(health.get("version", "unknown"))
    if ours.status != 200:
        # A LocalStack without our plugin runs any Python; ours is as good as another.
        return Health(edition, version, f"python{sys.version_info.major}.{sys.version_info.minor}", None)
    told = ours.json()
    # Emulators of earlier versions tell less.
    abilities = Abilities(told["python_runtime"], told.get("node_runtime"), frozenset(told.get("resource_types", ())))
    return Health(edition, version, abilities.python, abilities)


def wait_until_healthy(endpoint: str, check: Callable[[], None], log: Path) -> Health:
    """Returns the health once LocalStack answers. `check` raises where the emulator has ended. Raises UnknownVerdictError, with the log's
    last lines, after a minute."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        check()
        try:
            return ask(endpoint)
        except (urllib3.exceptions.HTTPError, ValueError):
            time.sleep(_POLL_S)
    message = f"LocalStack did not answer at {endpoint}/_localstack/health within {START_TIMEOUT_S} s{last_lines(log)}"
    raise UnknownVerdictError(message)


def last_lines(log: Path) -> str:
    """Returns the end of the log as a part of a message; nothing where there is none."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    except OSError:
        return ""
    return f"; the last lines of {log}:\n" + "\n".join(f"  {redacted(line)}" for line in lines) if lines else ""
