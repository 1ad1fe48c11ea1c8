"""The file that a run replays, which may come on standard input."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.emulator import work_dirs
from harness.errors import UsageError
from harness.interrupts import clean_up

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def input_file(path: Path | None) -> Iterator[Path | None]:
    """Gives the file of --input; for `-` one with what comes on standard input: a run reads its file more than once.

    Raises UsageError where standard input is closed."""
    if path != Path("-"):
        yield path
        return
    if sys.stdin is None:
        raise UsageError("--input -: standard input is closed")
    # What comes may take long, and its copy goes with an interrupt.
    clean_up()
    folder = work_dirs.create()
    try:
        file = folder / "stdin"
        with file.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        yield file
    finally:
        work_dirs.remove(folder)
