"""The unpacked code of functions and layers, and the layers of a function merged into one. What has the same bytes lies in one directory, of however many functions it is: those of a stack
mostly share their package, and LocalStack unpacks it for each anew. The last few that nothing needs any more are kept: the same stack is often deployed again.

On AWS a function cannot write there, and neither can it here where the machine allows mounts (see `private_tmp`). Elsewhere other functions see what it wrote, and what was
written to is not kept."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from harness.inside.lambda_ import archive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localstack.services.lambda_.invocation.lambda_models import ArchiveCode, FunctionVersion

    Files = dict[str, tuple[int, int, int]]

_lock = threading.Lock()
_users: dict[Path, set[tuple[str, str]]] = {}
_editions: dict[Path, int] = {}
_files: dict[Path, Files] = {}
"""What lay in a directory once it was unpacked."""
_idle: dict[Path, None] = {}
"""Directories without users, in the order in which the last one left."""
_MOST_IDLE, _MOST_IDLE_BYTES = 8, 1 << 28


def unpack(version: FunctionVersion) -> None:
    """Unpacks the code of a version and its layers, unless an earlier version has done so."""
    for code in _codes(version):
        with _lock:
            directory = location(code)
            _idle.pop(directory, None)
            if not directory.exists():
                _unpack(code, directory)
                _files[directory] = _files_in(directory)
            _users.setdefault(directory, set()).add(_user(version))
    with _lock:
        merged = layers(version)
        if merged is not None and len(version.config.layers) > 1:
            if not merged.exists():
                _merge([location(layer.code) for layer in version.config.layers], merged)
            _users.setdefault(merged, set()).add(_user(version))


def location(code: ArchiveCode) -> Path:
    """Returns where the code lies once it is unpacked."""
    if code.is_hot_reloading():
        # A directory of the user's own.
        return Path(code.get_unzipped_code_location())
    return Path(tempfile.gettempdir(), "lambda", "by-sha256", base64.b64decode(code.code_sha256).hex())


def layers(version: FunctionVersion) -> Path | None:
    """Returns the directory that is the function's /opt: its layers, of which the later hide the files of the earlier. None without layers."""
    found = [location(layer.code) for layer in version.config.layers]
    if len(found) < 2:
        return found[0] if found else None
    name = hashlib.sha256("\n".join(map(str, found)).encode()).hexdigest()
    return Path(tempfile.gettempdir(), "lambda", "merged-layers", name)


def put(version: FunctionVersion, content: bytes) -> None:
    """Puts the files of a zip over the code of a version, for all functions that share it. Environments that have begun with other code begin anew (see `edition`).

    Raises BadArchiveError for a zip that is not unpacked."""
    directory = location(version.config.code)
    with tempfile.TemporaryDirectory(prefix="saved-code-") as scratch:
        packed = Path(scratch, "code.zip")
        packed.write_bytes(content)
        archive.unpack(str(packed), f"{scratch}/files")
        with _lock:
            for file in (path for path in Path(scratch, "files").rglob("*") if path.is_file()):
                target = directory / file.relative_to(Path(scratch, "files"))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, target)
                for stale in target.parent.glob(f"__pycache__/{target.stem}.*.pyc"):
                    # It would be run in place of its source.
                    stale.unlink()
            _editions[directory] = _editions.get(directory, 0) + 1


def edition(directory: Path) -> int:
    """Returns how often files were put over the code in a directory."""
    return _editions.get(directory, 0)


def forget(version: FunctionVersion) -> None:
    """Removes what no other version needs."""
    for code in _codes(version):
        _leave(location(code), version, is_ours=not code.is_hot_reloading())
    if len(version.config.layers) > 1 and (merged := layers(version)) is not None:
        _leave(merged, version, is_ours=True)


def _leave(directory: Path, version: FunctionVersion, *, is_ours: bool) -> None:
    with _lock:
        users = _users.get(directory, set())
        users.discard(_user(version))
        if not users and _users.pop(directory, None) is not None and is_ours:
            was_changed = _editions.pop(directory, 0) > 0
            _idle[directory] = None
            if was_changed or _files.get(directory) != _files_in(directory):
                _remove(directory)
            while len(_idle) > _MOST_IDLE or _bytes(_idle) > _MOST_IDLE_BYTES:
                _remove(next(iter(_idle)))


def _bytes(directories: Iterable[Path]) -> int:
    return sum(size for directory in directories for size, _, _ in _files[directory].values())


def _remove(directory: Path) -> None:
    _idle.pop(directory, None)
    _files.pop(directory, None)
    shutil.rmtree(directory, ignore_errors=True)


def _files_in(directory: Path) -> Files:
    """Returns size, mode and time of each file, but for what Python compiles: that it checks itself."""
    return {
        path: (found.st_size, found.st_mode, found.st_mtime_ns)
        for folder, _, names in os.walk(directory)
        for name in names
        if not name.endswith(".pyc")
        for path in [f"{folder}/{name}"]
        for found in [os.lstat(path)]
    }


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


def _merge(sources: Iterable[Path], into: Path) -> None:
    """Links all files of these directories into one, the later in the place of the earlier."""
    part = into.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for source in sources:
        for path in sorted(source.rglob("*")):
            target = part / path.relative_to(source)
            is_directory = path.is_dir() and not path.is_symlink()
            if target.is_symlink() or target.is_file():
                target.unlink()
            elif target.is_dir() and not is_directory:
                shutil.rmtree(target)
            if is_directory:
                target.mkdir(exist_ok=True)
            elif path.is_symlink():
                target.symlink_to(path.readlink())
            else:
                _link(path, target)
    part.rename(into)


def _link(path: Path, target: Path) -> None:
    try:
        target.hardlink_to(path)
    except OSError:
        # A layer that is reloaded from the user's own directory may be on another disk.
        shutil.copy2(path, target)
