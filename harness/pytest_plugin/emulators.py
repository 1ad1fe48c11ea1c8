"""The emulators of a test session: started when a test first needs one, stopped at the end."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.emulator.choose import choose_emulator
from harness.emulator.container import Container
from harness.emulator.shared import Shared
from harness.run.run_dir import create_run_dir

if TYPE_CHECKING:
    from harness.emulator.emulator import Description, Emulator


class Emulators(Protocol):
    """Where the tests of this process get an emulator from."""

    def shared(self, *, node: bool) -> Shared:
        """Returns an emulator, with Node.js where that is asked for and a container needs it. Raises UsageError or UnknownVerdictError where it cannot be had."""

    def description(self, *, node: bool) -> Description:
        """Returns what is known of it."""


class Own:
    """Those that this process starts: one, or two containers where some need Node.js. `wanted` is as for --emulator; logs go below `out`."""

    def __init__(self, wanted: str, out: Path) -> None:
        self._wanted = wanted
        self._out = out
        self._started: dict[bool, tuple[Emulator, Description]] = {}
        self._lock = threading.Lock()

    def shared(self, *, node: bool) -> Shared:
        """See Emulators."""
        return Shared(*self._get(node=node))

    def description(self, *, node: bool) -> Description:
        """See Emulators."""
        return self._get(node=node)[1]

    def _get(self, *, node: bool) -> tuple[Emulator, Description]:
        with self._lock:
            emulator, _ = choose_emulator(self._wanted, Path(os.devnull))
            needed = node and isinstance(emulator, Container)
            if needed not in self._started:
                emulator, _ = choose_emulator(self._wanted, create_run_dir(self._out, "pytest", latest=False) / "emulator.log")
                for _step in emulator.prepare(node=needed):
                    pass
                self._started[needed] = emulator, emulator.start()
            emulator, description = self._started[needed]
            emulator.check()
            return emulator, description

    def stop(self) -> None:
        """Stops what was started."""
        with self._lock:
            for emulator, _ in self._started.values():
                emulator.stop()
            self._started.clear()
