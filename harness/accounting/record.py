"""The unit of account."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from decimal import Context, Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import quote


class Record(NamedTuple):
    """One unit that the sender wants delivered.

    `payload` holds the bytes that are offered. `promised` is the JSON object that a probe must find wherever the record is stored;
    None says that the record must not be stored. `malformed` names what is wrong with the record, and is None for a healthy one.
    `filtered` names the rule of the pipeline that drops this healthy record; the record must then be seen nowhere.
    Of all records with the same `rival` the pipeline stores one, whichever it takes first, and gives the others up.
    `partition_key` keeps records in order in a stream or a FIFO queue; an ingress takes the record's id where the key is empty.
    `classes` are the classes of the source's inputs that the record is one of, besides the ordinary ones (harness/parts/variety.py).

    Record is a NamedTuple because a load makes a million of them in seconds, and a dataclass takes three times as long to make."""

    record_id: str
    payload: bytes
    promised: bytes | None
    malformed: str | None = None
    partition_key: str = ""
    classes: tuple[str, ...] = ()
    filtered: str | None = None
    rival: str | None = None

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
    (key@version) and the line. `detail` says why it refused. `offered_at_ms`: milliseconds since the epoch.

    `put_at` is the place and content of what the ingress itself wrote (see `object_put`): to see it there again proves nothing.
    `file_hash` is the payload hash of the whole file that the record is a row of. `about_record` is False where the refusal is not about
    this record: the stream is missing, a signature is wrong, the service is throttled."""

    status: Status
    offered_at_ms: int
    shard: str | None = None
    sequence: str | None = None
    detail: str | None = None
    put_at: str | None = None
    file_hash: bytes | None = None
    about_record: bool = True


class Outcome(StrEnum):
    """Where a record ended. `REJECTED` comes from the ledger, the others from probes. A filtered record is seen by no probe."""

    STORED = "stored"
    DEAD_LETTERED = "dead_lettered"
    ALERTED = "alerted"
    REJECTED = "rejected"


class Observation(NamedTuple):
    """One sighting of a record at a probe. It is identified by the first of: shard and sequence, record id, payload hash; a shard (an
    upload) without a sequence number bounds where the record id counts, and alone stands for all records of the upload.

    `content` is the stored JSON object; `seen_at_ms` when it got there, milliseconds since the epoch; `position` its place in the order
    of what is stored with it, where that has one. `payload_hash` is that of the bytes that are kept there. A sighting that is not stored
    and keeps no payload is no outcome, unless `keeps_payload` is False: the scenario knows that this place keeps none. `put_at` is the
    place and content of what was seen, as in Answer. `reason` says why the record was given up. `misplaced` is the pattern of the place where
    the record must be, if it is seen elsewhere. `incomplete` says what is missing there of all that the scenario requires beside the record."""

    outcome: Outcome
    place: str
    record_id: str | None = None
    shard: str | None = None
    sequence: str | None = None
    payload_hash: bytes | None = None
    seen_at_ms: int | None = None
    content: bytes | None = None
    position: int | None = None
    keeps_payload: bool = True
    put_at: str | None = None
    reason: str | None = None
    misplaced: str | None = None
    incomplete: str | None = None


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


def object_put(bucket: str, key: str, etag: str) -> str:
    """Returns an object of S3 with what it holds. The ETag may have quotes; it is the MD5 of the body in hexadecimal, where the
    object is not encrypted by KMS."""
    unquoted = etag.strip('"')
    return f"s3://{bucket}/{key}#{unquoted}"


def message_put(queue_url: str, body: str) -> str:
    """Returns a message of a queue with what it holds."""
    return f"queue {queue_url.rsplit('/', 1)[-1]}#{payload_hash(body.encode('utf-8', 'surrogatepass')).hex()}"


def item_put(table: str, item: Mapping[str, Any]) -> str:
    """Returns an item of DynamoDB, as its API writes it, with what it holds. Numbers are compared by their value."""
    canonical = json.dumps(_canonical(item), sort_keys=True, default=lambda value: bytes(value).hex())
    return f"table {table.rsplit('/', 1)[-1]}#{payload_hash(canonical.encode('utf-8', 'surrogatepass')).hex()}"


_DIGITS = Context(prec=50)


def _canonical(value: Any) -> Any:
    match value:
        case {"N": str(number), **rest} if not rest:
            value = Decimal(number)
            # DynamoDB keeps 38 digits, and no sign of zero.
            return {"N": str(value.normalize(_DIGITS) if value else 0)}
        case Mapping():
            return {name: _canonical(item) for name, item in value.items()}
        case list() | tuple():
            return [_canonical(item) for item in value]
        case _:
            return value
