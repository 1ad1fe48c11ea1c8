"""The directories that emulators work in, each labelled with the process that owns it, so that leftovers can be swept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
from dataclasses import asdict
from pathlib import Path

import psutil

from harness.documents import MISTYPED, read_json
from harness.emulator.owner import Owner
from harness.errors import UsageError
from harness.processes import kill_session
from harness.settings import settings

_PREFIX = "pipeproof-"
_LABEL = "owner.json"


def base() -> Path:
    """Returns where work directories are: what is configured, else the system's place for temporary files."""
    return settings().tmpdir or Path(tempfile.gettempdir())


def create() -> Path:
    """Returns a new work directory, owned by this process. Raises UsageError where there can be none."""
    try:
        work_dir = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base()))
    except OSError as error:
        raise UsageError(f"{base()}: {error.strerror}: emulators work there (PIPEPROOF_TMPDIR)") from error
    label(work_dir, Owner.of(os.getpid()))
    return work_dir


def label(work_dir: Path, owner: Owner) -> None:
    (work_dir / _LABEL).write_text(json.dumps(asdict(owner)))


def remove(work_dir: Path) -> None:
    shutil.rmtree(work_dir, ignore_errors=True)


def sweep() -> list[Path]:
    """Ends the emulators and removes the directories whose owner is gone; returns what was removed."""
    removed = []
    for work_dir in base().glob(f"{_PREFIX}*"):
        owner = _owner(work_dir)
        if owner is not None and not owner.alive:
            if owner.session is not None:
                _kill_emulator(owner.session, work_dir)
            remove(work_dir)
            removed.append(work_dir)
    return removed


def is_of(work_dir: Path, session: int) -> bool:
    """Returns whether a directory is one that the emulator with this session works in."""
    owner = _owner(work_dir) if work_dir.name.startswith(_PREFIX) else None
    return owner is not None and owner.session == session


def _owner(work_dir: Path) -> Owner | None:
    """Returns who owns a work directory; None where it is not of this user alone, is just being made, or has another label: the place is shared, and
    anybody may put there what blocks or misleads."""
    try:
        status = work_dir.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
            return None
        return Owner.read(read_json(work_dir / _LABEL, "the owner of a work directory"))
    except (OSError, UsageError, *MISTYPED):
        return None


def _kill_emulator(session: int, work_dir: Path) -> None:
    """Kills the session only where one of its processes works in the directory: another session may have its id by now."""
    ours = 0
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getsid(process.pid) == session and process.environ().get("PIPEPROOF_WORK_DIR") == str(work_dir):
                ours = session
    kill_session(ours or -1, str(work_dir))
