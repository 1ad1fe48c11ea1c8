"""S3 Select on DuckDB: the query language of S3 in DuckDB's, on one object.

Values of CSV are strings until they are cast; JSON and Parquet have types. Source:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-select-sql-reference.html
"""

from __future__ import annotations

import csv
import io
import json
import re
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import sqlglot
from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_TABLE = "s3object"
_ROWS_AT_ONCE = 2000
_FROM = re.compile(r"\bS3Object\b((?:\[\s*\*\s*\]|\.[A-Za-z_][A-Za-z0-9_]*|\.\"[^\"]+\"|\[\s*'[^']+'\s*\])*)", re.IGNORECASE)
_SAMPLE_OBJECTS = 100_000_000
_DOCUMENT = "\x01document"
"""The column with the whole of a JSON record. No query can name it."""


class SelectError(ValueError):
    """A request that S3 Select refuses; `code` is its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def selected(path: Path, expression: str, source: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[bytes]:
    """Yields the result in pieces: what the expression selects from the object in the file. `source` and `target` are InputSerialization and
    OutputSerialization. Raises SelectError."""
    with closing(duckdb.connect(config={"enable_external_access": True, "threads": 2})) as database:
        path_in_document, sql = _statement(expression)
        names = _load(database, path, source, path_in_document)
        try:
            result = database.execute(_translated(sql, names, whole="CSV" not in target))
        except (duckdb.Error, sqlglot.errors.SqlglotError) as error:
            raise SelectError("InvalidQuery", f"The query cannot be run: {str(error).splitlines()[0]}") from error
        columns = _labels(result.description or [])
        if [name for name, *_ in result.description or []] == [_DOCUMENT]:
            write = _document_writer(target.get("JSON") or {})
        else:
            write = _csv_writer(target["CSV"]) if "CSV" in target else _json_writer(target.get("JSON") or {}, columns)
        try:
            while rows := result.fetchmany(_ROWS_AT_ONCE):
                yield write(rows)
        except duckdb.Error as error:
            raise SelectError("CastFailed", str(error).splitlines()[0]) from error


def _statement(expression: str) -> tuple[list[str], str]:
    """Returns the path within a JSON document that the query reads from, and the query with a plain table name."""
    found = _FROM.search(expression)
    if found is None:
        raise SelectError("ParseSelectMissingFrom", "The query must read FROM S3Object")
    parts = re.findall(r"\[\s*\*\s*\]|\.([A-Za-z_][A-Za-z0-9_]*)|\.\"([^\"]+)\"|\[\s*'([^']+)'\s*\]", found[1])
    path = [next((name for name in part if name), "*") for part in parts]
    return path, expression[: found.start()] + _TABLE + expression[found.end() :]


def _load(database: duckdb.DuckDBPyConnection, path: Path, source: Mapping[str, Any], inner: Sequence[str]) -> list[str]:
    """Makes the table of the object's records. Returns the names of its columns."""
    file = str(path).replace("'", "''")
    try:
        if "CSV" in source:
            _load_csv(database, path, source["CSV"])
        elif "Parquet" in source:
            database.execute(f"CREATE VIEW {_TABLE} AS SELECT * FROM read_parquet('{file}')")
        else:
            steps = inner[1 if inner[:1] == ["*"] else 0 :]
            _load_json(database, file, source.get("JSON") or {}, keep_documents=not steps)
            for name in steps:
                _enter(database, name)
    except duckdb.Error as error:
        kind = next(iter(source.keys() & {"CSV", "JSON", "Parquet"}), "JSON")
        raise SelectError(f"{kind}ParsingError", f"The object cannot be read as {kind}: {str(error).splitlines()[0]}") from error
    return [row[0] for row in database.execute(f"DESCRIBE {_TABLE}").fetchall()]


def _load_json(database: duckdb.DuckDBPyConnection, file: str, options: Mapping[str, Any], *, keep_documents: bool) -> None:
    """Makes the table of JSON records. A text stays a text: DuckDB's own reader takes some for times and for UUIDs, and writes them anew."""
    kind = "newline_delimited" if options.get("Type", "DOCUMENT") == "LINES" else "auto"
    database.execute(
        f"CREATE TABLE documents AS SELECT json FROM read_json_objects('{file}', format = '{kind}', maximum_object_size = {_SAMPLE_OBJECTS})"
    )
    [(structure,)] = database.execute("SELECT json_group_structure(json) FROM documents").fetchall()
    shape = _texts(json.loads(structure)) if structure else {}
    if not isinstance(shape, dict) or not shape:
        database.execute(f"CREATE TABLE {_TABLE} AS SELECT json ->> '$' AS _1 FROM documents")
        return
    document = f', json AS "{_DOCUMENT}"' if keep_documents else ""
    database.execute(
        f"CREATE TABLE {_TABLE} AS SELECT UNNEST(json_transform(json, $shape)){document} FROM documents",
        {"shape": json.dumps(shape)},
    )


def _texts(structure: Any) -> Any:
    """Returns a structure in which what is null everywhere, or of several types, is text."""
    match structure:
        case dict():
            # DuckDB does not tell upper from lower case: of two such names the first can be asked for.
            of = {name.lower(): name for name in reversed(structure)}
            return {name: _texts(inner) for name, inner in structure.items() if name and of[name.lower()] == name}
        case list():
            return [_texts(inner) for inner in structure]
        case "JSON" | "NULL":
            return "VARCHAR"
        case _:
            return structure


def _enter(database: duckdb.DuckDBPyConnection, name: str) -> None:
    """Goes into a document: to a member, or to the members of an array."""
    columns = {row[0]: row[1] for row in database.execute(f"DESCRIBE {_TABLE}").fetchall()}
    if name == "*":
        (only,) = columns.items()
        inner, of = (f'UNNEST("{only[0]}")', only[1].removesuffix("[]")) if only[1].endswith("[]") else (f'"{only[0]}"', only[1])
    elif name in columns:
        inner, of = f'"{name}"', columns[name]
    else:
        inner, of = "NULL", "VARCHAR"
    expanded = "UNNEST(value)" if of.startswith("STRUCT") and of.endswith(")") else "value"
    database.execute(f"CREATE OR REPLACE TABLE {_TABLE} AS SELECT {expanded} FROM (SELECT {inner} AS value FROM {_TABLE})")


def _load_csv(database: duckdb.DuckDBPyConnection, path: Path, options: Mapping[str, Any]) -> None:
    _drop_comments(path, options)
    header = options.get("FileHeaderInfo", "NONE")
    names = _first_row(path, options)
    columns = names if header == "USE" else [f"_{number}" for number in range(1, len(names) + 1)]
    quote = options.get("QuoteCharacter", '"')
    parameters = {
        "delim": options.get("FieldDelimiter", ","),
        "quote": quote,
        "escape": options.get("QuoteEscapeCharacter", '"') if quote else "",
    }
    given = ", ".join(
        f"{key} = '{value.replace(chr(39), chr(39) * 2)}'" for key, value in parameters.items() if value or key == "quote"
    )
    typed = ", ".join(f"'{_quoted_text(name)}': 'VARCHAR'" for name in _distinct(columns))
    file = str(path).replace("'", "''")
    database.execute(
        f"CREATE VIEW {_TABLE} AS SELECT * FROM read_csv('{file}', columns = {{{typed}}}, header = false, "
        f"skip = {0 if header == 'NONE' else 1}, auto_detect = false, null_padding = true, strict_mode = false, nullstr = '\x01', "
        f"parallel = false, max_line_size = 16777216, {given})"
    )


def _drop_comments(path: Path, options: Mapping[str, Any]) -> None:
    """Removes the rows that begin with the comment character, # where none is given. DuckDB would take one within a row for the beginning of a comment."""
    comment, quote = (options.get("Comments") or "#").encode(), (options.get("QuoteCharacter") or '"').encode()
    with path.open("rb") as file:
        if not any(line.startswith(comment) for line in file):
            return
    kept = path.with_suffix(".kept")
    with path.open("rb") as file, kept.open("wb") as target:
        is_open = dropped = False
        for line in file:
            # Within quotes a line is no row.
            dropped = dropped if is_open else line.startswith(comment)
            is_open = not dropped and is_open != bool(line.count(quote) % 2)
            if not dropped:
                target.write(line)
    kept.replace(path)


def _first_row(path: Path, options: Mapping[str, Any]) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.reader(file, delimiter=options.get("FieldDelimiter", ","), quotechar=options.get("QuoteCharacter") or '"')
        return next(rows, [])


def _distinct(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    made = []
    for name in names:
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
        made.append(name if seen[name.lower()] == 1 else f"{name}_{seen[name.lower()]}")
    return made


def _quoted_text(name: str) -> str:
    return name.replace("'", "''")


def _translated(sql: str, names: Sequence[str], *, whole: bool) -> str:
    """Returns the query in DuckDB's language. A column that the object has not is MISSING, which is null. Where all of a JSON record is selected, and
    JSON is written (`whole`), that is the record as it stands in the object."""
    tree = sqlglot.parse_one(_functions(sql), dialect="trino")
    if not isinstance(tree, exp.Select) or tree.args.get("joins") or len(list(tree.find_all(exp.Select))) > 1:
        raise SelectError("UnsupportedSyntax", "S3 Select takes one SELECT without joins or subqueries")
    if tree.args.get("group") or tree.args.get("order"):
        raise SelectError("UnsupportedSyntax", "S3 Select has no GROUP BY and no ORDER BY")
    if _DOCUMENT in names:
        for star in [one for one in tree.expressions if isinstance(one, exp.Star) or (isinstance(one, exp.Column) and one.is_star)]:
            if whole and len(tree.expressions) == 1:
                star.replace(exp.column(_DOCUMENT, quoted=True))
            else:
                star.replace(exp.Star(except_=[exp.to_identifier(_DOCUMENT, quoted=True)]))
    table = tree.find(exp.Table)
    alias = table.alias_or_name if table is not None else _TABLE
    known = {name.lower() for name in names}
    for column in list(tree.find_all(exp.Column)):
        first = column.parts[0].name
        parts = [part.name for part in column.parts]
        own = parts[1:] if len(parts) > 1 and first.lower() in {alias.lower(), _TABLE} else parts
        if isinstance(column.this, exp.Star):
            continue
        if own[0].lower() not in known:
            column.replace(exp.Null())
        elif len(own) == 1 and own[0] not in names:
            # Names without quotes do not tell upper from lower case.
            column.this.replace(exp.to_identifier(next(name for name in names if name.lower() == own[0].lower()), quoted=True))
    return tree.sql(dialect="duckdb")


def _functions(sql: str) -> str:
    """Returns the query with what only S3 Select knows in words that the parser knows."""
    sql = re.sub(r"\bIS\s+NOT\s+MISSING\b", "IS NOT NULL", sql, flags=re.IGNORECASE)
    sql = re.sub(r"\bIS\s+MISSING\b", "IS NULL", sql, flags=re.IGNORECASE)
    sql = re.sub(r"\bUTCNOW\s*\(\s*\)", "CURRENT_TIMESTAMP", sql, flags=re.IGNORECASE)
    sql = re.sub(r"\bTO_TIMESTAMP\s*\(", "TIMESTAMP_OF(", sql, flags=re.IGNORECASE)
    sql = re.sub(r"TIMESTAMP_OF\(([^()]*)\)", r"CAST(\1 AS TIMESTAMP)", sql)
    sql = re.sub(r"\b(DATE_ADD|DATE_DIFF)\s*\(\s*(\w+)\s*,", r"\1('\2',", sql, flags=re.IGNORECASE)
    sql = re.sub(r"\bCAST\s*\((.+?)\s+AS\s+DECIMAL\s*\)", r"CAST(\1 AS DECIMAL(38, 10))", sql, flags=re.IGNORECASE)
    return re.sub(r"\bCAST\s*\((.+?)\s+AS\s+FLOAT\s*\)", r"CAST(\1 AS DOUBLE)", sql, flags=re.IGNORECASE)


def _labels(description: Sequence[Any]) -> list[str]:
    """Returns the names of the result's columns: those without a name of their own are _1, _2, …"""
    return [
        name if re.fullmatch(r"[A-Za-z_][\w .:-]*|_\d+", name) and "(" not in name else f"_{at}"
        for at, (name, *_) in enumerate(description, start=1)
    ]


def _csv_writer(options: Mapping[str, Any]) -> Any:
    def write(rows: Sequence[Sequence[Any]]) -> bytes:
        out = io.StringIO()
        quoting: Any = csv.QUOTE_ALL if options.get("QuoteFields") == "ALWAYS" else csv.QUOTE_MINIMAL
        writer = csv.writer(
            out, delimiter=options.get("FieldDelimiter", ","), quotechar=options.get("QuoteCharacter", '"'), quoting=quoting,
            lineterminator=options.get("RecordDelimiter", "\n"),
        )  # fmt: skip
        for row in rows:
            if len(row) == 1 and row[0] in (None, "") and quoting == csv.QUOTE_MINIMAL:
                out.write(options.get("RecordDelimiter", "\n"))
            else:
                writer.writerow([_text(value) for value in row])
        return out.getvalue().encode()

    return write


def _document_writer(options: Mapping[str, Any]) -> Any:
    delimiter = options.get("RecordDelimiter", "\n")

    def write(rows: Sequence[Sequence[Any]]) -> bytes:
        # A document may stand on several lines of its object.
        lines = (text if "\n" not in text else json.dumps(json.loads(text), ensure_ascii=False) for (text,) in rows)
        return "".join(line.strip() + delimiter for line in lines).encode()

    return write


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Decimal():
            return _number(value)
        case dict() | list():
            return json.dumps(value, default=_plain)
        case _:
            return str(value)


def _number(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _json_writer(options: Mapping[str, Any], columns: Sequence[str]) -> Any:
    delimiter = options.get("RecordDelimiter", "\n")

    def write(rows: Sequence[Sequence[Any]]) -> bytes:
        made = ({name: value for name, value in zip(columns, row, strict=True) if value is not None} for row in rows)
        return "".join(
            json.dumps(one, default=_plain, ensure_ascii=False, separators=(",", ":")) + delimiter for one in made
        ).encode()

    return write


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
