"""The records of one Kinesis shard, indexed, so that reading stays linear in what is read.

moto's own shard walks all its records on every read. Sequence numbers have AWS's form (56 digits) and
carry the record's index, which makes every position computable:

    49 | milliseconds of the shard's creation (13) | shard number (5) | index of the record (36)
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.kinesis.models import Shard

if TYPE_CHECKING:
    from collections.abc import Callable

_INDEX_DIGITS = 36
_SHARD_DIGITS = 5


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record as GetRecords returns it; `arrived_at_s` is seconds since the epoch."""

    sequence_number: str
    partition_key: str
    data: bytes
    arrived_at_s: float


def raw_size(record: StreamRecord) -> int:
    """Returns the record's size in bytes, as Kinesis counts it."""
    return len(record.data) + len(record.partition_key)


class IndexedShard(Shard):
    """Takes the place of moto's shard: moto keeps the hash range and the lineage, this keeps the records."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What moto's code for splitting and merging sees: nothing to move. On AWS, too, the records stay with the parent.
        self.records: OrderedDict[int, Any] = OrderedDict()
        created_at_ms = time.time_ns() // 1_000_000
        prefix = f"49{created_at_ms:013d}{self._shard_id:0{_SHARD_DIGITS}d}"
        self._first_sequence: int = int(prefix) * 10**_INDEX_DIGITS
        self._log: list[StreamRecord] = []
        self._trimmed = 0
        self._arrived = threading.Condition()

    @property
    def tip(self) -> int:
        """Returns the index that the next record will get."""
        return self._trimmed + len(self._log)

    @property
    def horizon(self) -> int:
        """Returns the index of the oldest record that is still kept."""
        return self._trimmed

    def append(self, partition_key: str, data: bytes) -> str:
        """Stores a record and returns its sequence number."""
        with self._arrived:
            sequence_number = str(self._first_sequence + self.tip)
            self._log.append(StreamRecord(sequence_number, partition_key, data, time.time()))
            self._arrived.notify_all()
        return sequence_number

    def read(self, index: int, limit: int, max_bytes: int, size_of: Callable[[StreamRecord], int] = raw_size) -> list[StreamRecord]:
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
        """Waits until a record with this index exists, or the shard closes; says whether one exists."""
        with self._arrived:
            self._arrived.wait_for(lambda: self.tip > index or not self.is_open, timeout_s)
            return self.tip > index

    def index_of(self, sequence_number: str) -> int:
        """Returns the index that a sequence number of this shard stands for.

        Raises ValueError for a number that this shard cannot have given."""
        index = int(sequence_number) - self._first_sequence
        if not 0 <= index < max(self.tip, 1):
            message = f"{sequence_number} is not a sequence number of {self.shard_id}"
            raise ValueError(message)
        return index

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

    # What moto asks for when it describes a stream.
    def get_min_sequence_number(self) -> int:
        return self._first_sequence

    def get_max_sequence_number(self) -> int:
        return self._first_sequence + max(self.tip - 1, 0)
