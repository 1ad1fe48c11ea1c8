"""The unit of account."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import quote


class Record(NamedTuple):
    """One unit that the sender wants delivered; `number` counts the records of a load from 0.

    `promised` is the JSON object that must be found of it wherever it is stored (its fields, and those that follow from them);
    None for a record that must not be stored. `malformed` names what is wrong with it, None for a healthy one. `partition_key` is that of
    a stream, or the key of the file that the record is a row of.
    A NamedTuple, not a dataclass: a million are made in seconds."""

    number: int
    record_id: str
    payload: bytes
    partition_key: str
    promised: bytes | None
    malformed: str | None = None


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


def payload_hash(payload: bytes) -> bytes:
    """The identity of a payload: 16 bytes of SHA-256."""
    return hashlib.sha256(payload).digest()[:16]


def identifier(value: object) -> str | None:
    """An id as it may stand in somebody's JSON: text or a whole number; None for anything else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def upload_id(key: str, version_id: str | None) -> str:
    """An upload among all of its bucket: key@version, or the key alone where the bucket keeps no versions."""
    return f"{quote(key)}@{version_id}" if version_id else quote(key)
