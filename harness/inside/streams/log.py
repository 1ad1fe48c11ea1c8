"""An ordered log of records with an index, so that reading stays linear in what is read."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Arrived(Protocol):
    """A record of a log; `arrived_at_s` is seconds since the epoch."""

    @property
    def arrived_at_s(self) -> float: ...


R = TypeVar("R", bound=Arrived)


class RecordLog(Generic[R]):
    """The records of one shard. A record's index never changes; the oldest records are forgotten by `trim`."""

    def __init__(self) -> None:
        self._log: list[R] = []
        self._trimmed = 0
        self._arrived = threading.Condition()
        self.is_open = True
        """Whether more records can come."""

    @property
    def tip(self) -> int:
        """Returns the index that the next record will get."""
        return self._trimmed + len(self._log)

    @property
    def horizon(self) -> int:
        """Returns the index of the oldest record that is still kept."""
        return self._trimmed

    def put(self, made: Callable[[int, float], R]) -> R:
        """Adds the record that `made` returns for its index and the time (seconds since the epoch)."""
        with self._arrived:
            record = made(self.tip, time.time())
            self._log.append(record)
            self._arrived.notify_all()
        return record

    def put_all(self, made: Callable[[int, float], Sequence[R]]) -> Sequence[R]:
        """Adds the records that `made` returns for the index of the first one and the time, all at once."""
        with self._arrived:
            records = made(self.tip, time.time())
            self._log += records
            self._arrived.notify_all()
        return records

    def read(self, index: int, limit: int, max_bytes: int, size_of: Callable[[R], int]) -> list[R]:
        """Returns up to `limit` records from `index` on, cut where their sizes would exceed `max_bytes` (but never to nothing)."""
        start = max(index - self._trimmed, 0)
        batch = self._log[start : start + limit]
        size = 0
        for position, record in enumerate(batch):
            size += size_of(record)
            if size > max_bytes and position:
                return batch[:position]
        return batch

    def wait_for(self, index: int, timeout_s: float) -> bool:
        """Waits until a record with this index exists, or the shard closes. Returns whether one exists."""
        with self._arrived:
            self._arrived.wait_for(lambda: self.tip > index or not self.is_open, timeout_s)
            return self.tip > index

    def index_at(self, timestamp_s: float) -> int:
        """Returns the index of the first record that arrived at or after the time (seconds since the epoch)."""
        return self._trimmed + bisect_left(self._log, timestamp_s, key=lambda r: r.arrived_at_s)

    def trim(self, before_s: float) -> None:
        """Forgets the records that arrived before the time: the stream's retention period."""
        with self._arrived:
            gone = self.index_at(before_s) - self._trimmed
            del self._log[:gone]
            self._trimmed += gone

    def arrived_at(self, index: int) -> float | None:
        """Returns when the record arrived (seconds since the epoch); None where there is none."""
        position = index - self._trimmed
        return self._log[position].arrived_at_s if 0 <= position < len(self._log) else None
