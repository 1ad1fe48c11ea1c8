"""The token that an emulator's control routes ask for (harness/inside/gate.py). It is in a file that only this user can read, for as long as the emulator
runs; the emulator itself has its hash alone."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.documents import MISTYPED
from harness.emulator.cache import cache_dir
from harness.emulator.owner import Owner
from harness.errors import UsageError
from harness.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = "X-Pipeproof-Token"


def settings_inside(port: int, origins: Sequence[str]) -> dict[str, str]:
    """Makes the token of the emulator that is to listen on a port of this machine. Returns what the emulator's environment is to have for its gate:
    web pages of the `origins` may ask it, such as http://localhost:3000.

    Raises UsageError where another user owns the directory of the tokens."""
    where = directory()
    try:
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}: tokens of emulators are kept there (PIPEPROOF_CACHE)") from error
    status = where.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        message = (
            f"{where} must be a directory of this user, with mode 700: set PIPEPROOF_CACHE to another directory, or run chmod 700"
        )
        raise UsageError(message)
    token = secrets.token_hex(32)
    unfinished = where / f".{port}.{os.getpid()}"
    unfinished.touch(0o600)
    unfinished.write_text(json.dumps({"token": token, "owner": asdict(Owner.of(os.getpid()))}))
    unfinished.replace(where / str(port))
    allowed = ",".join(origins)
    return {
        "PIPEPROOF_TOKEN_SHA256": hashlib.sha256(token.encode()).hexdigest(),
        "PIPEPROOF_ALLOW_ORIGINS": allowed,
        # The answers to those pages need LocalStack's headers.
        "EXTRA_CORS_ALLOWED_ORIGINS": allowed,
    }


def remove(port: int) -> None:
    """Forgets the token of the emulator that listened on a port."""
    (directory() / str(port)).unlink(missing_ok=True)


def headers(url: str) -> dict[str, str]:
    """Returns the headers for a request to a control route: with the token of the emulator there, as far as this user knows it."""
    parts = urlsplit(url)
    token = settings().token
    if parts.hostname in {"127.0.0.1", "localhost", "::1"}:
        # Where this user has not started it, there is no such file.
        with contextlib.suppress(OSError, *MISTYPED):
            token = json.loads((directory() / str(parts.port or 80)).read_text())["token"]
    return {HEADER: token} if token else {}


def sweep() -> None:
    """Removes the tokens of emulators that killed runs left; one that `up` started still listens."""
    for file in directory().glob("[0-9]*"):
        try:
            owner = Owner.read(json.loads(file.read_text())["owner"])
        except (OSError, *MISTYPED):
            continue
        if not owner.alive and not _listens(int(file.name)):
            file.unlink(missing_ok=True)


def directory() -> Path:
    """Returns where the tokens are, a file per port."""
    return cache_dir() / "tokens"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
