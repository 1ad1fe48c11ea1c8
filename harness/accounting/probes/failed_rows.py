"""A DynamoDB table of rows that could not be processed: one item each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.accounting.record import Observation, Outcome, payload_hash

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
                yield Observation(
                    Outcome.DEAD_LETTERED,
                    f"table {self.table}",
                    shard=_text(item.get("upload")),
                    sequence=_text(item.get("line")) or "none",
                    payload_hash=payload_hash(raw) if isinstance(raw, bytes) else None,
                )


def _text(value: dict[str, Any] | None) -> str | None:
    return str(next(iter(value.values()))) if value else None
