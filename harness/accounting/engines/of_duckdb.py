"""DuckDB, in this process. What the reconciler uses unless another engine is asked for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.accounting.engines import Engine, Row

# DuckDB's memory, beside Python's. DuckDB moves what exceeds a limit to disk, and raises OutOfMemoryException where one step needs more: then the next
# limit is tried. Too low a limit wastes an attempt, too high a limit takes memory from the machine; which one suffices depends on the rows.
_MEMORY_LIMITS_MB = (280, 640, 1280, 2560, 5120, 10240)
_ROWS_IN_A_MB = 16_000
_ROWS_PER_FETCH = 10_000

T = TypeVar("T")


def run(scratch: Path, work: Callable[[Engine], T], rows: int) -> T:
    """Returns what `work` does with tables of so many rows, with as little memory as it can be done."""
    *others, last = [limit for limit in _MEMORY_LIMITS_MB if limit * _ROWS_IN_A_MB >= rows] or _MEMORY_LIMITS_MB[-1:]
    for limit in others:
        with contextlib.suppress(duckdb.OutOfMemoryException):
            return _within(limit, scratch, work)
    return _within(last, scratch, work)


def _within(limit_mb: int, scratch: Path, work: Callable[[Engine], T]) -> T:
    with duckdb.connect(config={"memory_limit": f"{limit_mb}MB", "temp_directory": str(scratch), "threads": 2}) as db:
        # The progress bar would overwrite what the terminal shows.
        db.execute("SET enable_progress_bar = false")
        return work(_DuckDB(db))


class _DuckDB:
    """Tables in a database without a file are kept in memory; DuckDB moves them to disk where they exceed the limit."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db

    def read(self, name: str, paths: Sequence[Path], columns: Mapping[str, str], number: str = "") -> None:
        if not paths:
            nulls = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns.items())
            self._db.execute(f"CREATE VIEW {name} AS SELECT {nulls} WHERE false")
            return
        files = ", ".join(map(_quoted, paths))
        numbered, numbers = (f", file_row_number AS {number}", ", file_row_number = true") if number else ("", "")
        self._db.execute(f"CREATE VIEW {name} AS SELECT *{numbered} FROM read_parquet([{files}]{numbers})")

    def view(self, name: str, query: str) -> None:
        self._db.execute(f"CREATE VIEW {name} AS {query}")

    def table(self, name: str, query: str) -> None:
        self._db.execute(f"CREATE TABLE {name} AS {query}")

    def drop(self, name: str) -> None:
        self._db.execute(f"DROP TABLE {name}")

    def tell(self, name: str, query: str, why: Callable[..., str | None], given: int) -> None:
        # Another cursor: what is inserted would end the result that is being read.
        found = self._db.cursor().execute(query)
        names = [column[0] for column in found.description or ()][:-given]
        schema = pa.schema([*((column, pa.int64()) for column in names), ("why", pa.string())])
        self._db.register("told", schema.empty_table())
        self.table(name, "FROM told")
        while rows := found.fetchmany(_ROWS_PER_FETCH):
            told = [(*row[:-given], said) for row in rows if (said := why(*row[-given:])) is not None]
            if told:
                columns = [pa.array(column, field.type) for column, field in zip(zip(*told, strict=True), schema, strict=True)]
                self._db.register("told", pa.table(columns, schema=schema))
                self._db.execute(f"INSERT INTO {name} FROM told")

    def rows(self, query: str) -> list[Row]:
        found: list[Any] = self._db.execute(query).fetchall()
        return found

    def write(self, query: str, path: Path) -> None:
        self._db.execute(f"COPY ({query}) TO {_quoted(path)} (FORMAT parquet)")


def _quoted(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"
