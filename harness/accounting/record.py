"""The unit of account."""

from __future__ import annotations

import hashlib
import time
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote


class Record(NamedTuple):
    """One unit that the sender wants delivered.

    `payload` holds the bytes that are offered. `promised` is the JSON object that a probe must find wherever the record is stored;
    None says that the record must not be stored. `malformed` names what is wrong with the record, and is None for a healthy one.
    `partition_key` keeps records in order in a stream or a FIFO queue; an ingress takes the record's id where the key is empty.

    Record is a NamedTuple because a load makes a million of them in seconds, and a dataclass takes three times as long to make."""

    record_id: str
    payload: bytes
    promised: bytes | None
    malformed: str | None = None
    partition_key: str = ""

    @property
    def key(self) -> str:
        """Returns the partition key, or the record's id where there is none."""
        return self.partition_key or self.record_id


class Status(StrEnum):
    """What the first hop said of an offered record."""

    ACKED = "acked"
    REJECTED = "rejected"
    INDETERMINATE = "indeterminate"


class Answer(NamedTuple):
    """The first hop's answer to one record. `shard` and `sequence` where the hop is a stream; where it takes files they are the upload
    (key@version) and the line. `detail` says why it refused. `offered_at_ms`: milliseconds since the epoch."""

    status: Status
    offered_at_ms: int
    shard: str | None = None
    sequence: str | None = None
    detail: str | None = None


class Outcome(StrEnum):
    """Where a record ended. `REJECTED` comes from the ledger, the others from probes."""

    STORED = "stored"
    DEAD_LETTERED = "dead_lettered"
    ALERTED = "alerted"
    REJECTED = "rejected"


class Observation(NamedTuple):
    """One sighting of a record at a probe. It is identified by the first of: shard and sequence, record id, payload hash; a shard (an
    upload) without a sequence number bounds where the record id counts, and alone stands for all records of the upload.

    `content` is the stored JSON object; `seen_at_ms` when it got there, milliseconds since the epoch; `position` its place in the order
    of what is stored with it, where that has one."""

    outcome: Outcome
    place: str
    record_id: str | None = None
    shard: str | None = None
    sequence: str | None = None
    payload_hash: bytes | None = None
    seen_at_ms: int | None = None
    content: bytes | None = None
    position: int | None = None


def now_ms() -> int:
    """Returns the current time in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def payload_hash(payload: bytes) -> bytes:
    """Returns the identity of a payload: 16 bytes of SHA-256."""
    return hashlib.sha256(payload).digest()[:16]


def identifier(value: object) -> str | None:
    """Returns an id of a user's JSON as text, from text or a whole number; None for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def upload_id(key: str, version_id: str | None) -> str:
    """Returns an upload among all of its bucket: key@version, or the key alone where the bucket keeps no versions."""
    return f"{quote(key)}@{version_id}" if version_id else quote(key)
