"""Rows on disk: a million records must not be a million Python objects. Parquet, written a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ROWS_PER_GROUP = 20_000


class TableWriter:
    """Appends rows (tuples in the schema's order) to a Parquet file. A context manager; the file is complete when it is left."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._pending: list[Sequence[Any]] = []
        self._closed = False

    def add(self, row: Sequence[Any]) -> None:
        self._pending.append(row)
        self.rows += 1
        if len(self._pending) >= _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Completes the file. Only the first call does anything, even where it fails (a full disk)."""
        if self._closed:
            return
        self._closed = True
        self._flush()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> None:
        if self._pending:
            columns = zip(*self._pending, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
            self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
            self._pending.clear()
