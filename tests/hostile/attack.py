"""Makes cases with a bound on the time of each, and on the memory of all."""

from __future__ import annotations

import contextlib
import random
import signal
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 5
MIB = 512


class Attack:
    """`found` has a line per case that raised, took too long, or too much memory: the target, its seed, and what happened."""

    def __init__(self, cases: int, draw: int) -> None:
        self._cases, self._draw = cases, draw
        self._idle = psutil.Process().memory_info().rss
        self._longest = 0.0
        self._peak = 0
        self._made = 0
        self.found: list[str] = []

    def on_files(self, name: str, target: Callable[[random.Random, Path], None]) -> None:
        """Attacks a target that reads files: each case has an empty directory."""

        def case(rng: random.Random) -> None:
            with tempfile.TemporaryDirectory(prefix="hostile-") as place:
                target(rng, Path(place))

        self.on(name, case)

    def on(self, name: str, case: Callable[[random.Random], None]) -> None:
        for seed in range(self._draw, self._draw + self._cases):
            began = time.monotonic()
            try:
                with _within(SECONDS):
                    case(random.Random(f"{name}/{seed}"))
            except Exception:  # noqa: BLE001 - that is what is sought
                self.found.append(f"{name} seed {seed}:\n{traceback.format_exc(limit=-6)}")
            self._longest = max(self._longest, time.monotonic() - began)
            self._made += 1
            peak = (psutil.Process().memory_info().rss - self._idle) >> 20
            if peak > MIB >= self._peak:
                self.found.append(f"{name} seed {seed}: {peak:,} MiB more than the idle process")
            self._peak = max(self._peak, peak)
        click.echo(f"{name}: {self._cases:,} cases, {len(self.found)} found so far")

    @property
    def summary(self) -> str:
        return f"{self._made:,} cases, {len(self.found)} found; the longest took {self._longest:.1f} s, peak {self._peak:,} MiB above the idle process"


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the middle of what takes longer; in another thread than the main one nothing interrupts it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def over(*_: object) -> None:
        raise TimeoutError(f"took more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
