"""What a CREATE TABLE AS or an INSERT of Athena writes: Parquet, a file per partition, and the table and the partitions in the catalogue.

Source: https://docs.aws.amazon.com/athena/latest/ug/ctas-insert-into-etl.html
"""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlglot import exp

from harness.inside.athena.catalogue import QueryError, add_partition, partitions, table_of

# A partition of rows that have no value there.
_NULL = "__HIVE_DEFAULT_PARTITION__"
_MOST_PARTITIONS = 100


def write(target: Any, rows: pa.Table, database: str, glue: Any, s3: Any) -> None:
    """Writes the rows of a CTAS or an INSERT, and makes the table of a CTAS. Raises QueryError."""
    node = target.find(exp.Table)
    of, name = (node.db or database).lower(), node.name.lower()
    if isinstance(target, exp.Create):
        _create(target, rows, of, name, glue, s3)
    else:
        rows = _as_columns(target, rows, table_of(glue, of, name))
    table = table_of(glue, of, name)
    keys = [key for key, _ in table.partition_keys]
    # A partition may have been pointed elsewhere than to where its values say.
    known = dict(partitions(glue, of, table)) if keys and not table.projected else {}
    for values, part in _parts(rows, keys):
        folder = "".join(f"{key}={quote(value, safe=' ')}/" for key, value in zip(keys, values, strict=True))
        location = known.get(values) or f"{table.location.rstrip('/')}/{folder}"
        bucket, _, prefix = f"{location.rstrip('/')}/".removeprefix("s3://").partition("/")
        body = io.BytesIO()
        pq.write_table(part, body)
        s3.put_object(Bucket=bucket, Key=f"{prefix}{uuid4()}.parquet", Body=body.getvalue())
        if keys and not table.projected and values not in known:
            add_partition(glue, of, table, dict(zip(keys, values, strict=True)), location)


def _create(target: Any, rows: pa.Table, database: str, name: str, glue: Any, s3: Any) -> None:
    told = {prop.name.lower(): prop.args["value"].name for prop in target.find_all(exp.Property) if prop.args.get("value")}
    location = told.get("external_location") or next((p.this.name for p in target.find_all(exp.LocationProperty)), None)
    if not location:
        raise QueryError("CREATE TABLE AS needs external_location")
    kind = next((p.this.name.upper() for p in target.find_all(exp.FileFormatProperty)), "PARQUET")
    if kind != "PARQUET":
        raise QueryError(f"NOT_SUPPORTED: format {kind}")
    keys = [key.name.lower() for p in target.find_all(exp.PartitionedByProperty) for key in p.this.expressions]
    names = [column.lower() for column in rows.column_names]
    if keys and names[-len(keys) :] != keys:
        raise QueryError("HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in the same order")
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix.rstrip('/')}/", MaxKeys=1).get("KeyCount"):
        raise QueryError(f"HIVE_PATH_ALREADY_EXISTS: Target directory for table '{database}.{name}' already exists: {location}")
    columns = [{"Name": column.lower(), "Type": _hive_type(str(rows.schema.field(column).type))} for column in rows.column_names]
    many = len(columns) - len(keys)
    storage = {
        "Columns": columns[:many],
        "Location": location,
        "InputFormat": "parquet",
        "SerdeInfo": {"SerializationLibrary": "parquet"},
    }
    made = {"Name": name, "StorageDescriptor": storage, "PartitionKeys": columns[many:], "TableType": "EXTERNAL_TABLE"}
    try:
        glue.create_table(DatabaseName=database, TableInput=made)
    except glue.exceptions.AlreadyExistsException as error:
        raise QueryError(f"Table {database}.{name} already exists") from error


def _as_columns(target: Any, rows: pa.Table, table: Any) -> pa.Table:
    """Returns the rows with the names of the table's columns: an INSERT goes by their places, or by those that it names."""
    if table.kind != "parquet":
        raise QueryError(f"NOT_SUPPORTED: INSERT into a table of {table.kind}")
    there = [column for column, _ in (*table.columns, *table.partition_keys)]
    named = [column.name.lower() for column in target.this.expressions] if isinstance(target.this, exp.Schema) else there
    if len(named) != rows.num_columns or not set(named) <= set(there):
        raise QueryError(f"TYPE_MISMATCH: Insert query has mismatched column types: Table: {there}, Query: {rows.column_names}")
    rows = rows.rename_columns(named)
    for column in there:
        if column not in named:
            rows = rows.append_column(column, pa.nulls(rows.num_rows, pa.string()))
    return rows.select(there)


def _parts(rows: pa.Table, keys: list[str]) -> list[tuple[tuple[str, ...], pa.Table]]:
    """Returns (values of the partition keys, the rows there without those columns). Rows of no partition are one part."""
    if not keys:
        return [((), rows)]
    names = rows.column_names[-len(keys) :]
    texts = [pc.fill_null(pc.cast(rows[name], pa.string()), _NULL) for name in names]
    values = sorted(set(zip(*(column.to_pylist() for column in texts), strict=True)))
    if len(values) > _MOST_PARTITIONS:
        raise QueryError(f"HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of {_MOST_PARTITIONS} open writers for partitions/buckets")
    found = []
    for value in values:
        mask = pc.equal(texts[0], value[0])
        for column, text in zip(texts[1:], value[1:], strict=True):
            mask = pc.and_(mask, pc.equal(column, text))
        found.append((value, rows.filter(mask).drop_columns(names)))
    return found


def _hive_type(arrow: str) -> str:
    return {"int32": "int", "int64": "bigint", "double": "double", "float": "float", "bool": "boolean", "string": "string"}.get(
        arrow, "string" if "decimal" not in arrow else arrow.replace("decimal128", "decimal")
    )
