"""events.jsonl: every event of a run, one JSON object per line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

    from harness.run.events import Event


class EventLog:
    """A context manager; a line is on disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, event: Event) -> None:
        self._file.write(json.dumps({"event": type(event).__name__, **asdict(event)}, default=_plain) + "\n")


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)
