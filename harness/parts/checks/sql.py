"""A statement in SQL over the tables of the run and files of the lake, by DuckDB."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import duckdb
from pydantic import Field

from harness.errors import UnknownVerdictError
from harness.parts.part import Part
from harness.parts.ports import Check, Context, Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 5
_PARTITION = re.compile(r"[A-Za-z_]\w*=[^=]{1,120}", re.ASCII)
# DuckDB decodes percent signs in a partition's name. It ends the name at ?, and takes * and [ for a pattern, so those are encoded.
_NOT_ENCODED = "%= "
_READERS = {
    "csv": "read_csv('{}', header = true, all_varchar = true, union_by_name = true, hive_partitioning = true, hive_types_autocast = false)",
    "ndjson": "read_json_auto('{}', format = 'newline_delimited', union_by_name = true, hive_partitioning = true, hive_types_autocast = false)",
    "parquet": "read_parquet('{}', union_by_name = true, hive_partitioning = true, hive_types_autocast = false)",
}


class Lake(Part):
    """The objects of `bucket` below `prefix`, as one table. CSV columns are text, and so are the partitions that the keys name."""

    bucket: str
    prefix: str = ""
    format: Literal["csv", "ndjson", "parquet"] = "ndjson"


class Sql(Check):
    """Runs `query` over the tables of the run (`ledger`, `observations`, `outcomes`, `anomalies`: docs/run-directory.md) and those of `lake`. A table of the lake may take the place of one of the run.

    Without `equals` the query finds what must not be: the check holds where it returns no row. With `equals` it returns one value, which
    must be equal to it."""

    query: str
    equals: Any = None
    lake: dict[str, Lake] = Field(default={})

    def open(self, context: Context) -> Finding:
        """Returns whether the statement holds. Raises UnknownVerdictError, with DuckDB's words, for a query that cannot be run."""
        names, rows = _answer(self.query, context, self.lake)
        if "equals" in self.model_fields_set:
            found = rows[0][0] if rows and rows[0] else None
            holds = len(rows) == 1 and _same(found, self.equals)
            return Finding(holds, f"expected {_shown(self.equals)}, found {_shown(found)}")
        if not rows:
            return Finding(holds=True, text="no row is wrong")
        shown = ", ".join(_shown(row[0] if len(row) == 1 else dict(zip(names, row, strict=True))) for row in rows[:_SHOWN])
        return Finding(holds=False, text=f"rows that must not be: {shown}" + (", …" if len(rows) > _SHOWN else ""))


def found_by(query: str, context: Context, lakes: Mapping[str, Lake]) -> list[tuple[Any, ...]]:
    """Returns the first rows of a query over the tables of the run. Raises UnknownVerdictError, with DuckDB's words, for one that cannot be run."""
    return _answer(query, context, lakes)[1]


def _answer(query: str, context: Context, lakes: Mapping[str, Lake]) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Returns the names of the columns, and the first rows."""
    with tempfile.TemporaryDirectory(dir=context.run_dir) as scratch, duckdb.connect() as db:
        db.execute("SET enable_progress_bar = false")
        try:
            # DuckDB's names have no case.
            for name in {"ledger", "observations", "outcomes", "anomalies"} - {one.casefold() for one in lakes}:
                db.execute(f"CREATE VIEW {name} AS FROM read_parquet('{context.run_dir}/{name}.parquet')")
            for name, lake in lakes.items():
                _add(db, name, lake, context, Path(scratch) / name)
            found = db.execute(query)
            return [column[0] for column in found.description], found.fetchmany(_SHOWN + 1)
        except (duckdb.Error, AttributeError) as error:
            # AttributeError: the query is empty, and DuckDB returns no connection.
            raise UnknownVerdictError(f"the query cannot be run: {str(error).splitlines()[0]}") from error


def _add(db: duckdb.DuckDBPyConnection, name: str, lake: Lake, context: Context, folder: Path) -> None:
    """Downloads the objects, and makes a view of them; an empty table where there are none. Partitions that all keys name (dt=2026-01-31/) are columns."""
    s3 = context.clients("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=lake.bucket, Prefix=lake.prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    found = [[part for part in key.split("/")[:-1] if _PARTITION.fullmatch(part)] for key in keys]
    partitioned = len({tuple(part.partition("=")[0] for part in parts) for parts in found}) == 1
    folder.mkdir()
    for place, (key, parts) in enumerate(zip(keys, found, strict=True)):
        below = folder.joinpath(*(quote(part, safe=_NOT_ENCODED) for part in parts)) if partitioned else folder
        below.mkdir(parents=True, exist_ok=True)
        suffix = ".gz" if key.endswith(".gz") else ""
        s3.download_file(lake.bucket, key, str(below / f"{place:09d}.{lake.format}{suffix}"))
    quoted = '"' + name.replace('"', '""') + '"'
    source = _READERS[lake.format].format(f"{folder}/**/*.{lake.format}*") if keys else "(SELECT NULL AS nothing WHERE false)"
    db.execute(f"CREATE VIEW {quoted} AS FROM {source}")


def _shown(value: Any) -> str:
    """Returns a value as JSON has it, or what JSON has no form for as text."""
    return json.dumps(value, ensure_ascii=False, default=lambda other: other.hex() if isinstance(other, bytes) else str(other))


def _same(found: Any, expected: Any) -> bool:
    if isinstance(found, bool) != isinstance(expected, bool):
        return False
    try:
        return bool(found == expected or (isinstance(expected, int | float) and float(found) == float(expected)))
    except (TypeError, ValueError):
        return False
