"""What the probes saw, as a table beside the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from harness.accounting.tables import TableWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from harness.accounting.record import Observation

SCHEMA = pa.schema(
    [
        ("outcome", pa.string()),
        ("place", pa.string()),
        ("record_id", pa.string()),
        ("shard", pa.string()),
        ("sequence", pa.string()),
        ("payload_hash", pa.binary()),
        ("seen_at_ms", pa.int64()),
        ("content", pa.binary()),
        ("position", pa.int64()),
        ("keeps_payload", pa.bool_()),
        ("put_at", pa.string()),
        ("reason", pa.string()),
        ("misplaced", pa.string()),
        ("incomplete", pa.string()),
    ]
)


def write_observations(path: Path, observations: Iterable[Observation]) -> int:
    """Writes them to a Parquet file; returns how many there were. The file is there once it has all of them: a part of what was seen would make the rest look lost."""
    unfinished = path.with_suffix(".part")
    try:
        with TableWriter(unfinished, SCHEMA) as table:
            for observation in observations:
                table.add(observation)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return table.rows
