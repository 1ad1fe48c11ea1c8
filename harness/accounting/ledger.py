"""The ledger: every record that was offered, and what the first hop answered."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from harness.accounting.record import Answer, Record, Status, payload_hash
from harness.accounting.tables import TableWriter

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("record_id", pa.string()),
        ("payload_hash", pa.binary()),
        ("promised", pa.binary()),
        ("malformed", pa.string()),
        ("status", pa.string()),
        ("shard", pa.string()),
        ("sequence", pa.string()),
        ("offered_at_ms", pa.int64()),
        ("detail", pa.string()),
        ("put_at", pa.string()),
        ("file_hash", pa.binary()),
        ("about_record", pa.bool_()),
        ("filtered", pa.string()),
        ("rival", pa.string()),
        ("payload_bytes", pa.int64()),
    ]
)


class Fingerprint:
    """SHA-256 over the payloads of records, in order, each with its length: equal for the same scenario and seed."""

    def __init__(self) -> None:
        self._bytes = hashlib.sha256()

    def add(self, record: Record) -> None:
        self._bytes.update(len(record.payload).to_bytes(8) + record.payload)

    @property
    def text(self) -> str:
        """Returns the hash in hexadecimal."""
        return self._bytes.hexdigest()


class Ledger:
    """Written during the load, to `ledger.parquet` in the run's directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[Status] = Counter()
        self._table = TableWriter(path, SCHEMA)
        self._bytes = Fingerprint()

    @property
    def offered(self) -> int:
        # Counts the answers: an interrupt may come between an answer and its row.
        return self.counts.total()

    @property
    def fingerprint(self) -> str:
        """Returns the hash of all payloads offered."""
        return self._bytes.text

    def add(self, record: Record, answer: Answer, index: int | None = None) -> None:
        """Notes a record with its answer. `index` is its place in the load, from 0; by default it follows the record before."""
        self._bytes.add(record)
        index = self.counts.total() if index is None else index
        self.counts[answer.status] += 1
        self._table.add(
            (
                index, record.record_id, payload_hash(record.payload), record.promised, record.malformed,
                answer.status, answer.shard, answer.sequence, answer.offered_at_ms, answer.detail,
                answer.put_at, answer.file_hash, answer.about_record, record.filtered, record.rival, len(record.payload),
            )
        )  # fmt: skip

    def close(self) -> None:
        self._table.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
