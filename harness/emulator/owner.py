"""Who owns what an emulator leaves on the machine: a process, told from a later one with the same id by its start time."""

from __future__ import annotations

from dataclasses import dataclass

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

    @property
    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            # The clock that start times are derived from may be adjusted between two reads.
            return abs(process.create_time() - self.started_at_s) < 2 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
