"""Queries of Athena in DuckDB: the objects of the tables that a query names, and of them only those of the partitions that it can need.

Source: https://docs.aws.amazon.com/athena/latest/ug/querying-athena-tables.html
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from sqlglot import exp

from harness.inside.athena.catalogue import QueryError, Table, objects, partitions, table_of
from harness.inside.athena.writing import write
from harness.inside.hive import members

if TYPE_CHECKING:
    from pathlib import Path

_HIVE = {"int": "INTEGER", "integer": "INTEGER", "string": "VARCHAR", "binary": "BLOB", "float": "FLOAT", "bigint": "BIGINT"}


@dataclass(slots=True)
class Result:
    """What a query found: (name, type) of the columns, the rows, and how many bytes of objects were read."""

    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    scanned_bytes: int = 0


def run(statement: str, database: str, glue: Any, s3: Any, folder: Path) -> Result:
    """Runs a SELECT, a CTAS or an INSERT. `folder` is for copies of objects. Raises QueryError."""
    try:
        tree = sqlglot.parse_one(statement, dialect="athena")
    except sqlglot.errors.ParseError as error:
        raise QueryError(f"SYNTAX_ERROR: {str(error).splitlines()[0]}") from error
    target, select = _target(tree)
    result = Result()
    with closing(duckdb.connect()) as connection:
        names = {cte.alias_or_name.lower() for cte in select.find_all(exp.CTE)}
        for number, table in enumerate(list(select.find_all(exp.Table))):
            if table.name.lower() in names and not table.db:
                continue
            result.scanned_bytes += _load(connection, table, select, database, glue, s3, folder / str(number), f"t{number}")
        try:
            found = connection.execute(select.sql(dialect="duckdb"))
            result.columns = [(name, _athena_type(str(kind))) for name, kind, *_ in found.description or ()]
            if target is None:
                result.rows = found.fetchall()
                return result
            write(target, found.to_arrow_table(), database, glue, s3)
        except duckdb.Error as error:
            raise QueryError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
    return Result(scanned_bytes=result.scanned_bytes)


def _target(tree: Any) -> tuple[Any, Any]:
    """Returns (what is written to, or None; the SELECT)."""
    if isinstance(tree, exp.Create | exp.Insert):
        if tree.expression is None:
            raise QueryError("NOT_SUPPORTED: a statement without a SELECT")
        return tree, tree.expression
    if not isinstance(tree, exp.Query):
        raise QueryError(f"NOT_SUPPORTED: {tree.key.upper()}")
    return None, tree


def _load(connection: Any, node: Any, select: Any, database: str, glue: Any, s3: Any, folder: Path, view: str) -> int:
    """Makes a view of the objects of a table, in whose place it goes in the query. Returns the bytes of the objects."""
    of = (node.db or database).lower()
    table = table_of(glue, of, node.name.lower())
    known = [] if table.projected or not table.partition_keys else partitions(glue, of, table)
    if table.partition_keys and not known and not table.projected:
        found: list[tuple[str, tuple[str, ...], int]] = []
    else:
        found = objects(s3, table, known)
    wanted = _needed(connection, table, found, node, select)
    folder.mkdir(parents=True)
    selects = []
    groups: dict[tuple[str, ...], list[str]] = {}
    for number, (uri, values, _) in enumerate(wanted):
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        path = folder / f"{number}{'.gz' if key.endswith('.gz') else ''}"
        s3.download_file(bucket, key, str(path))
        groups.setdefault(values, []).append(str(path))
    for values, paths in groups.items():
        keys = ", ".join(
            f"CAST('{_quoted(value)}' AS {_duckdb_type(kind)}) AS \"{name}\""
            for (name, kind), value in zip(table.partition_keys, values, strict=True)
        )
        selects.append(f"SELECT *{', ' + keys if keys else ''} FROM {_reader(table, paths)}")
    if not selects:
        empty = ", ".join(
            f'CAST(NULL AS {_duckdb_type(kind)}) AS "{name}"' for name, kind in (*table.columns, *table.partition_keys)
        )
        selects = [f"SELECT {empty} WHERE false"]
    connection.execute(f"CREATE VIEW {view} AS {' UNION ALL BY NAME '.join(selects)}")
    alias = node.alias_or_name
    node.set("this", exp.to_identifier(view))
    node.set("db", None)
    node.set("catalog", None)
    node.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    return sum(size for _, _, size in wanted)


def _needed(
    connection: Any, table: Table, found: list[tuple[str, tuple[str, ...], int]], node: Any, select: Any
) -> list[tuple[str, tuple[str, ...], int]]:
    """Returns the objects of the partitions for which the conditions on partition keys alone hold."""
    scope = node.find_ancestor(exp.Select) or select
    where = scope.args.get("where")
    keys = {name for name, _ in table.partition_keys}
    if where is None or not keys or len(list(scope.find_all(exp.Table))) != 1:
        return found
    conditions = [one for one in where.this.flatten() if isinstance(where.this, exp.And)] or [where.this]
    own = [
        one
        for one in conditions
        if (columns := list(one.find_all(exp.Column)))
        and all(column.name.lower() in keys for column in columns)
        and not one.find(exp.Subquery)
    ]
    if not own:
        return found
    test = " AND ".join(f"({_unqualified(one).sql(dialect='duckdb')})" for one in own)
    kept = []
    for values in {values for _, values, _ in found}:
        row = ", ".join(
            f"CAST('{_quoted(value)}' AS {_duckdb_type(kind)}) AS \"{name}\""
            for (name, kind), value in zip(table.partition_keys, values, strict=True)
        )
        if connection.execute(f"SELECT 1 FROM (SELECT {row}) WHERE {test}").fetchone():
            kept.append(values)
    return [one for one in found if one[1] in kept]


def _unqualified(condition: Any) -> Any:
    made = condition.copy()
    for column in made.find_all(exp.Column):
        column.set("table", None)
    return made


def _reader(table: Table, paths: list[str]) -> str:
    files = ", ".join(f"'{_quoted(path)}'" for path in paths)
    typed = {name: _duckdb_type(kind) for name, kind in table.columns}
    match table.kind:
        case "parquet":
            return f"read_parquet([{files}], union_by_name = true)"
        case "json":
            columns = ", ".join(f"'{name}': '{kind}'" for name, kind in typed.items())
            return f"read_json([{files}], columns = {{{columns}}}, format = 'newline_delimited')"
        case _:
            columns = ", ".join(f"'{name}': '{kind}'" for name, kind in typed.items())
            delimiter = table.options.get("field.delim") or table.options.get("separatorChar") or ","
            delimiter = delimiter.encode().decode("unicode_escape")
            skip = int(table.options.get("skip.header.line.count") or 0)
            return (
                f"read_csv([{files}], columns = {{{columns}}}, header = false, skip = {skip}, delim = '{_quoted(delimiter)}', auto_detect = false, "
                "quote = '\"', escape = '\"', null_padding = true, strict_mode = false)"
            )


def _duckdb_type(hive: str) -> str:
    """Returns DuckDB's name of a Hive type, such as array<struct<a:int>>."""
    text = hive.strip().lower()
    if text.startswith("array<"):
        return f"{_duckdb_type(text[6:-1])}[]"
    if text.startswith("map<"):
        key, value = members(text[4:-1])
        return f"MAP({_duckdb_type(key)}, {_duckdb_type(value)})"
    if text.startswith("struct<"):
        pairs = [member.partition(":") for member in members(text[7:-1])]
        return "STRUCT(" + ", ".join(f'"{name.strip()}" {_duckdb_type(kind)}' for name, _, kind in pairs) + ")"
    return _HIVE.get(text, text.upper())


def _athena_type(kind: str) -> str:
    text = kind.lower()
    return (
        "array"
        if text.endswith("[]")
        else "row"
        if text.startswith("struct")
        else text.partition("(")[0].replace("hugeint", "bigint")
    )


def _quoted(text: str) -> str:
    return text.replace("'", "''")
