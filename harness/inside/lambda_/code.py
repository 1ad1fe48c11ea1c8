"""The unpacked code of functions and layers. What has the same bytes lies in one directory, of however many functions it is: those of a stack
mostly share their package, and LocalStack unpacks it for each anew.

On AWS a function cannot write there. Here it can, and other functions then see what it wrote."""

from __future__ import annotations

import base64
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localstack.services.lambda_.invocation.lambda_models import ArchiveCode, FunctionVersion

_lock = threading.Lock()
_users: dict[Path, set[tuple[str, str]]] = {}


def unpack(version: FunctionVersion) -> None:
    """Unpacks the code of a version and its layers, unless an earlier version has done so."""
    for code in _codes(version):
        with _lock:
            directory = location(code)
            if not directory.exists():
                _unpack(code, directory)
            _users.setdefault(directory, set()).add(_user(version))


def location(code: ArchiveCode) -> Path:
    """Returns where the code lies once it is unpacked."""
    if code.is_hot_reloading():
        # A directory of the user's own.
        return Path(code.get_unzipped_code_location())
    return Path(tempfile.gettempdir(), "lambda", "by-sha256", base64.b64decode(code.code_sha256).hex())


def forget(version: FunctionVersion) -> None:
    """Removes what no other version needs."""
    for code in _codes(version):
        with _lock:
            directory = location(code)
            users = _users.get(directory, set())
            users.discard(_user(version))
            if not users and _users.pop(directory, None) is not None and not code.is_hot_reloading():
                shutil.rmtree(directory, ignore_errors=True)


def _codes(version: FunctionVersion) -> Iterable[ArchiveCode]:
    return [version.config.code, *(layer.code for layer in version.config.layers)]


def _user(version: FunctionVersion) -> tuple[str, str]:
    return version.qualified_arn, version.config.internal_revision


def _unpack(code: ArchiveCode, directory: Path) -> None:
    try:
        code.prepare_for_execution()
        if not code.is_hot_reloading():
            directory.parent.mkdir(parents=True, exist_ok=True)
            Path(code.get_unzipped_code_location()).rename(directory)
    finally:
        # A part of it would be taken for the whole the next time.
        code.destroy_cached()
