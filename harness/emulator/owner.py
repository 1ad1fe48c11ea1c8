"""Who owns what an emulator leaves on the machine: a process, told from a later one with the same id by its start time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class Owner:
    """A process; `session` is that of its embedded emulator."""

    pid: int
    started_at_s: float
    session: int | None = None

    @classmethod
    def of(cls, pid: int, session: int | None = None) -> Owner:
        return cls(pid, psutil.Process(pid).create_time(), session)

    @classmethod
    def read(cls, document: Any) -> Owner:
        """Returns the owner of a label. Raises ValueError or TypeError where it is none."""
        owner = cls(**document)
        if (
            not isinstance(owner.pid, int)
            or not isinstance(owner.started_at_s, int | float)
            or not isinstance(owner.session, int | None)
        ):
            raise ValueError(f"{document} names no process")  # noqa: TRY004 - its callers take it for text that means nothing
        if not 0 < owner.pid < 1 << 31:
            raise ValueError(f"{owner.pid} is no process id")
        return owner

    @property
    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            # The clock that start times are derived from may be adjusted between two reads.
            return abs(process.create_time() - self.started_at_s) < 2 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
