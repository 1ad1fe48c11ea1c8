"""Conversion of JSON records to Parquet by the schema of a table in Glue's catalogue.

Source: https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
"""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.inside.firehose.record import Refused
from harness.inside.hive import members

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.inside.firehose.record import Outgoing

FAILED = "format-conversion-failed"
_PLAIN: dict[str, pa.DataType] = {
    "string": pa.string(), "int": pa.int32(), "integer": pa.int32(), "bigint": pa.int64(), "smallint": pa.int16(), "tinyint": pa.int8(),
    "double": pa.float64(), "float": pa.float32(), "boolean": pa.bool_(), "date": pa.date32(), "timestamp": pa.timestamp("ms"), "binary": pa.binary(),
}  # fmt: skip
_COMPRESSIONS = {"UNCOMPRESSED": "none", "GZIP": "gzip", "SNAPPY": "snappy"}


def type_of(hive: str) -> pa.DataType:
    """Returns the Arrow type of a Hive type, such as array<struct<a:int>>. Raises ValueError for one that is not known."""
    name = hive.strip().lower()
    if name in _PLAIN:
        return _PLAIN[name]
    kind, _, inner = name.partition("(" if name.startswith(("decimal", "varchar", "char")) else "<")
    match kind:
        case "decimal":
            precision, _, scale = (inner.rstrip(")") or "10").partition(",")
            return pa.decimal128(int(precision), int(scale or 0))
        case "varchar" | "char":
            return pa.string()
        case "array":
            return pa.list_(type_of(inner[:-1]))
        case "map":
            key, value = members(inner[:-1])
            return pa.map_(type_of(key), type_of(value))
        case "struct":
            fields = [field.partition(":") for field in members(inner[:-1])]
            return pa.struct([(field.strip(), type_of(of)) for field, _, of in fields])
        case _:
            message = f"{hive!r} is not a type of a column"
            raise ValueError(message)


def schema_of(columns: Sequence[Mapping[str, str]]) -> pa.Schema:
    """Returns the Arrow schema of a table's columns, as Glue's catalogue has them."""
    return pa.schema([(column["Name"].lower(), type_of(column.get("Type", "string"))) for column in columns])


def extension(configuration: Mapping[str, Any]) -> str:
    """Returns the end of the keys of converted objects: .parquet or .orc."""
    return ".orc" if "OrcSerDe" in _serializer(configuration) else ".parquet"


def _serializer(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    return configuration.get("OutputFormatConfiguration", {}).get("Serializer") or {}


def converted(
    records: Sequence[Outgoing], schema: pa.Schema, configuration: Mapping[str, Any]
) -> tuple[bytes | None, list[Outgoing], list[Refused]]:
    """Returns a Parquet or ORC file (None where no record fits), the records that are in it, and those that cannot be converted."""
    rows: list[dict[str, Any]] = []
    kept: list[Outgoing] = []
    failed: list[Refused] = []
    for record in records:
        try:
            row = _row(record.data, schema, configuration)
        except (ValueError, TypeError, ArithmeticError, pa.ArrowException) as error:
            failed.append(
                Refused(record.incoming, FAILED, "DataFormatConversion.ParseError", f"Encountered malformed JSON: {error}", 1)
            )
        else:
            rows.append(row)
            kept.append(record)
    if not rows:
        return None, [], failed
    out = io.BytesIO()
    table = pa.Table.from_pylist(rows, schema=schema)
    if extension(configuration) == ".orc":
        from pyarrow import orc  # noqa: PLC0415 - few streams convert to it

        chosen = (_serializer(configuration)["OrcSerDe"] or {}).get("Compression") or "SNAPPY"
        orc.write_table(table, out, compression="uncompressed" if chosen == "NONE" else chosen.lower())
    else:
        chosen = (_serializer(configuration).get("ParquetSerDe") or {}).get("Compression") or "SNAPPY"
        pq.write_table(table, out, compression=_COMPRESSIONS[chosen])
    return out.getvalue(), kept, failed


def _row(data: bytes, schema: pa.Schema, configuration: Mapping[str, Any]) -> dict[str, Any]:
    document = json.loads(data, parse_float=Decimal)
    if not isinstance(document, dict):
        message = "a record is not a JSON object"
        raise TypeError(message)
    deserializer = configuration.get("InputFormatConfiguration", {}).get("Deserializer", {}).get("OpenXJsonSerDe", {})
    if deserializer.get("CaseInsensitive", True):
        document = {key.lower(): value for key, value in document.items()}
    if deserializer.get("ConvertDotsInJsonKeysToUnderscores"):
        document = {key.replace(".", "_"): value for key, value in document.items()}
    for column, key in deserializer.get("ColumnToJsonKeyMappings", {}).items():
        document[column.lower()] = document.pop(key.lower(), None)
    row = {field.name: _value(document.get(field.name), field.type) for field in schema}
    pa.Table.from_pylist([row], schema=schema)
    return row


def _value(value: Any, of: pa.DataType) -> Any:  # noqa: C901, PLR0912 - one case for each kind of type
    """Returns a JSON value as the Python value that Arrow takes for the type. Raises ValueError where it is none."""
    if value is None:
        return None
    if pa.types.is_string(of):
        return value if isinstance(value, str) else json.dumps(value, default=str)
    if pa.types.is_integer(of):
        return int(value)
    if pa.types.is_floating(of):
        return float(value)
    if pa.types.is_decimal(of):
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-of.scale))
    if pa.types.is_boolean(of):
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise ValueError(value)
        return value
    if pa.types.is_timestamp(of):
        return _time(value)
    if pa.types.is_date(of):
        return date.fromisoformat(value)
    if pa.types.is_list(of):
        return [_value(member, of.value_type) for member in value]
    if pa.types.is_map(of):
        return [(key, _value(member, of.item_type)) for key, member in value.items()]
    if pa.types.is_struct(of):
        lowered = {key.lower(): member for key, member in value.items()}
        return {field.name: _value(lowered.get(field.name.lower()), field.type) for field in of}
    return value.encode() if isinstance(value, str) else value


def _time(value: Any) -> datetime:
    """Returns a time without a zone, in UTC: from seconds or milliseconds since the epoch, or from ISO 8601."""
    if isinstance(value, int | Decimal):
        number = float(value)
        seconds = number / (1000 if abs(number) > 10**11 else 1)
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    at = datetime.fromisoformat(value)
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
