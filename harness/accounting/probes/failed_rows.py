"""Rows that could not be processed: items of a DynamoDB table, or lines of NDJSON in a bucket."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from harness.accounting.probes.objects import keys
from harness.accounting.record import Observation, Outcome, identifier, payload_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients


@dataclass(frozen=True, slots=True)
class FailedRowsProbe:
    """Items have `upload` (S: key@version), `line` (N) and `raw` (B): which upload, where in it, and the row as it came."""

    clients: Clients
    table: str

    def observe(self) -> Iterator[Observation]:
        """One observation per item; one that names no row is seen without an identity."""
        for page in self.clients("dynamodb").get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            for item in page["Items"]:
                raw = item.get("raw", {}).get("B")
                if not isinstance(raw, bytes):
                    # Without the row itself nothing has been kept.
                    yield Observation(Outcome.DEAD_LETTERED, f"table {self.table}")
                    continue
                yield Observation(
                    Outcome.DEAD_LETTERED,
                    f"table {self.table}",
                    shard=_text(item.get("upload")),
                    sequence=_text(item.get("line")) or "none",
                    payload_hash=payload_hash(raw),
                )


@dataclass(frozen=True, slots=True)
class FailedRowObjectsProbe:
    """Lines have `upload` (key@version), `line` and `raw` (base64): which upload, where in it, and the row as it came."""

    clients: Clients
    bucket: str
    prefix: str

    def observe(self) -> Iterator[Observation]:
        """One observation per line; one that names no row is seen without an identity."""
        s3 = self.clients("s3")
        for key in keys(s3, self.bucket, self.prefix):
            body = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            yield from (_sighting(f"s3://{self.bucket}/{key}", line) for line in body.split(b"\n") if line)


def _sighting(place: str, line: bytes) -> Observation:
    try:
        row = from_json(line)
        raw = base64.b64decode(row["raw"], validate=True)
        upload, number = identifier(row.get("upload")), identifier(row.get("line"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Observation(Outcome.DEAD_LETTERED, place, content=line)
    return Observation(Outcome.DEAD_LETTERED, place, shard=upload, sequence=number or "none", payload_hash=payload_hash(raw))


def _text(value: dict[str, Any] | None) -> str | None:
    return str(next(iter(value.values()))) if value else None
