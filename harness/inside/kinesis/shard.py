"""The records of one Kinesis shard, indexed, so that reading stays linear in what is read.

moto's own shard walks all its records on every read. Sequence numbers have AWS's form (56 digits) and
carry the record's index, which makes every position computable:

    49 | milliseconds of the shard's creation (13) | shard number (5) | index of the record (36)
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from moto.kinesis.models import Shard

from harness.inside.streams.log import RecordLog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_INDEX_DIGITS = 36
_SHARD_DIGITS = 5


class StreamRecord(NamedTuple):
    """One record as GetRecords returns it; `arrived_at_s` is seconds since the epoch."""

    sequence_number: str
    partition_key: str
    data: bytes
    arrived_at_s: float


def raw_size(record: StreamRecord) -> int:
    """Returns the record's size in bytes, as Kinesis counts it."""
    return len(record.data) + len(record.partition_key)


class IndexedShard(Shard, RecordLog[StreamRecord]):
    """Takes the place of moto's shard: moto keeps the hash range and the lineage, the log keeps the records."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        RecordLog.__init__(self)
        self.opened_at_s = time.time()
        self.closed_at_s: float | None = None
        Shard.__init__(self, *args, **kwargs)
        # What moto's code for splitting and merging sees: nothing to move. On AWS, too, the records stay with the parent.
        self.records: OrderedDict[int, Any] = OrderedDict()
        created_at_ms = time.time_ns() // 1_000_000
        prefix = f"49{created_at_ms:013d}{self._shard_id:0{_SHARD_DIGITS}d}"
        self._first_sequence: int = int(prefix) * 10**_INDEX_DIGITS

    @property
    def is_open(self) -> bool:
        """Whether records can be put. moto sets it where it splits and merges."""
        return self.closed_at_s is None

    @is_open.setter
    def is_open(self, value: bool) -> None:
        self.closed_at_s = None if value else time.time()

    def was_open(self, at_s: float) -> bool:
        """Returns whether records could be put then."""
        return self.opened_at_s <= at_s and (self.closed_at_s is None or self.closed_at_s >= at_s)

    def append(self, partition_key: str, data: bytes) -> str:
        """Stores a record and returns its sequence number."""
        return self.put(
            lambda index, now_s: StreamRecord(str(self._first_sequence + index), partition_key, data, now_s)
        ).sequence_number

    def append_all(self, entries: Sequence[tuple[str, bytes]]) -> list[str]:
        """Stores records, of partition key and data, one behind the other, and returns their sequence numbers."""

        def made(index: int, now_s: float) -> list[StreamRecord]:
            first = self._first_sequence + index
            return [StreamRecord(str(first + place), key, data, now_s) for place, (key, data) in enumerate(entries)]

        return [record.sequence_number for record in self.put_all(made)]

    def read(self, index: int, limit: int, max_bytes: int, size_of: Callable[[StreamRecord], int] = raw_size) -> list[StreamRecord]:
        """Returns up to `limit` records from `index` on, by default of `max_bytes` as Kinesis counts them."""
        return super().read(index, limit, max_bytes, size_of)

    def index_of(self, sequence_number: str) -> int:
        """Returns the index that a sequence number of this shard stands for.

        Raises ValueError for a number that this shard cannot have given."""
        index = int(sequence_number) - self._first_sequence
        if not 0 <= index < max(self.tip, 1):
            message = f"{sequence_number} is not a sequence number of {self.shard_id}"
            raise ValueError(message)
        return index

    # What moto asks for when it describes a stream.
    def get_min_sequence_number(self) -> int:
        return self._first_sequence

    def get_max_sequence_number(self) -> int:
        return self._first_sequence + max(self.tip - 1, 0)
