"""The list of threads that LocalStack ends when it ends. It takes each thread of a state machine, several per state, and keeps them all.

From Python 3.13 on a thread that ended keeps its stack as long as its object: after some thirty thousand the process has as many mappings
as Linux allows (vm.max_map_count), and no thread can be started any more."""

from __future__ import annotations

import threading
from typing import Any

_LEAST = 100


class RunningThreads(list[Any]):
    """A list that lets go of the threads that have ended, whenever it has doubled. What is no thread stays."""

    def __init__(self, items: list[Any]) -> None:
        super().__init__(items)
        self._lock = threading.Lock()
        self._look_at = _LEAST

    def append(self, thread: Any) -> None:
        with self._lock:
            super().append(thread)
            if len(self) >= self._look_at:
                self[:] = [item for item in self if not _has_ended(item)]
                self._look_at = max(_LEAST, 2 * len(self))


def _has_ended(item: Any) -> bool:
    # One that has not begun is not alive either. (One that is just beginning is taken for ended: it runs on, and ends with the process.)
    return isinstance(item, threading.Thread) and item.ident is not None and not item.is_alive()
