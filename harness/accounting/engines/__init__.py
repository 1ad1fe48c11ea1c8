"""What runs the reconciler's SQL. It is written for DuckDB; other engines are given a translation."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

ENGINES = ("duckdb", "spark")

T = TypeVar("T")
Row = tuple[Any, ...]


class Engine(Protocol):
    """A database for one reconciliation. Queries are in the SQL of DuckDB."""

    def read(self, name: str, paths: Sequence[Path], columns: Mapping[str, str], number: str = "") -> None:
        """Makes a view of Parquet files, which have these columns at least; `columns` gives their types for where there is no file. With `number` the view has a column of that name
        with the row's place in its file, from 0."""

    def view(self, name: str, query: str) -> None:
        """Gives a query a name. What it finds is found anew each time."""

    def table(self, name: str, query: str) -> None:
        """Makes a table of what a query finds."""

    def drop(self, name: str) -> None:
        """Removes a table, and with it the memory or the disk that it has taken."""

    def tell(self, name: str, query: str, why: Callable[..., str | None], given: int) -> None:
        """Makes a table of those rows of a query for which `why` says something, with that as the column `why`. The last `given` columns of the query are what it is called with, and are not
        in the table; the others are whole numbers."""

    def rows(self, query: str) -> list[Row]:
        """Returns what a query finds. Binary values are `bytes`."""

    def write(self, query: str, path: Path) -> None:
        """Writes what a query finds to one Parquet file, in its order."""


def require(engine: str) -> None:
    """Raises UsageError where this engine, one of `ENGINES`, is not installed."""
    # DuckDB always is, and to load it takes time that a run has better use for.
    if engine != ENGINES[0]:
        _module(engine).require()


def run(engine: str, scratch: Path, work: Callable[[Engine], T], rows: int) -> T:
    """Returns what `work` does on a new database of this engine, with tables of so many rows. What does not fit into memory is kept in `scratch`. Raises UsageError where the engine is not installed,
    UnknownVerdictError where it fails."""
    done: T = _module(engine).run(scratch, work, rows)
    return done


def _module(engine: str) -> Any:
    # An engine is loaded when it is asked for: the others may not be installed.
    return importlib.import_module(f"harness.accounting.engines.of_{engine}")
