"""Whether this machine has room for another run: many wait, for a visibility timeout or the end of an outage, and leave its processors idle."""

from __future__ import annotations

import time

import psutil

LOOKS_EVERY_S = 2.0
"""Seconds between two looks: over less, the use of the processors says little, and a run that has just begun is not in it."""

_BUSY_PERCENT = 60.0
_LEAST_MEMORY = 0.3


class Room:
    """Callable: says whether there is room for one more run; at most once in a while."""

    def __init__(self) -> None:
        self._looked = time.monotonic()
        psutil.cpu_percent(None)

    def __call__(self) -> bool:
        if time.monotonic() - self._looked < LOOKS_EVERY_S:
            return False
        self._looked = time.monotonic()
        memory = psutil.virtual_memory()
        return psutil.cpu_percent(None) < _BUSY_PERCENT and memory.available > _LEAST_MEMORY * memory.total
