"""Tables of Glue's catalogue as Athena sees them, and the DDL that makes them.

Source: https://docs.aws.amazon.com/athena/latest/ug/ddl-reference.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from harness.inside.hive import members

_DATABASE = re.compile(r"CREATE\s+(?:DATABASE|SCHEMA)\s+(?P<quiet>IF\s+NOT\s+EXISTS\s+)?[`\"]?(?P<name>\w+)[`\"]?", re.IGNORECASE)
_TABLE = re.compile(
    r"CREATE\s+EXTERNAL\s+TABLE\s+(?P<quiet>IF\s+NOT\s+EXISTS\s+)?(?P<name>[\w.`\"]+)\s*\((?P<columns>.*?)\)\s*"
    r"(?=PARTITIONED|ROW|STORED|LOCATION|TBLPROPERTIES|COMMENT|WITH)(?P<rest>.*)$", re.IGNORECASE | re.DOTALL,
)  # fmt: skip
_DROP = re.compile(r"DROP\s+(?P<kind>TABLE|DATABASE|SCHEMA|VIEW)\s+(?P<quiet>IF\s+EXISTS\s+)?(?P<name>[\w.`\"]+)", re.IGNORECASE)
_REPAIR = re.compile(r"MSCK\s+REPAIR\s+TABLE\s+(?P<name>[\w.`\"]+)", re.IGNORECASE)
_ADD = re.compile(
    r"ALTER\s+TABLE\s+(?P<name>[\w.`\"]+)\s+ADD\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<parts>PARTITION.*)$", re.IGNORECASE | re.DOTALL
)
_PARTITION = re.compile(r"PARTITION\s*\((?P<values>[^)]*)\)(?:\s*LOCATION\s*'(?P<location>[^']*)')?", re.IGNORECASE)


class QueryError(ValueError):
    """A query that Athena ends as FAILED."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the catalogue. Columns and partition keys are (name, Hive type)."""

    name: str
    location: str
    columns: tuple[tuple[str, str], ...]
    partition_keys: tuple[tuple[str, str], ...]
    kind: str
    options: dict[str, str]
    projected: bool


def table_of(glue: Any, database: str, name: str) -> Table:
    """Returns a table. Raises QueryError where there is none."""
    try:
        found = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException as error:
        raise QueryError(f"TABLE_NOT_FOUND: Table 'awsdatacatalog.{database}.{name}' does not exist") from error
    storage = found.get("StorageDescriptor", {})
    serde = storage.get("SerdeInfo", {})
    told = f"{storage.get('InputFormat', '')} {serde.get('SerializationLibrary', '')}".lower()
    kind = "parquet" if "parquet" in told else "json" if "json" in told else "csv"
    parameters = {**found.get("Parameters", {}), **serde.get("Parameters", {})}
    return Table(
        name,
        storage.get("Location", ""),
        tuple((one["Name"].lower(), one.get("Type", "string")) for one in storage.get("Columns", ())),
        tuple((one["Name"].lower(), one.get("Type", "string")) for one in found.get("PartitionKeys", ())),
        kind,
        parameters,
        parameters.get("projection.enabled") == "true",
    )


def run_ddl(statement: str, glue: Any, s3: Any, database: str) -> bool:
    """Runs a statement of the catalogue. Returns False for a statement that is none. Raises QueryError."""
    if found := _DATABASE.match(statement):
        _quietly(lambda: glue.create_database(DatabaseInput={"Name": found["name"].lower()}), glue, quiet=bool(found["quiet"]))
        return True
    if found := _TABLE.match(statement):
        of, name = _split(found["name"], database)
        made = _table_input(name, found["columns"], found["rest"])
        _quietly(lambda: glue.create_table(DatabaseName=of, TableInput=made), glue, quiet=bool(found["quiet"]))
        return True
    if found := _DROP.match(statement):
        of, name = _split(found["name"], database)
        whole = found["kind"].upper() in {"DATABASE", "SCHEMA"}
        try:
            glue.delete_database(Name=name) if whole else glue.delete_table(DatabaseName=of, Name=name)
        except glue.exceptions.EntityNotFoundException as error:
            if not found["quiet"]:
                raise QueryError(f"{found['kind']} {name} does not exist") from error
        return True
    if found := _REPAIR.match(statement):
        of, name = _split(found["name"], database)
        table = table_of(glue, of, name)
        for values in sorted({values for _, values, _ in objects(s3, table, [])}):
            add_partition(glue, of, table, dict(zip([key for key, _ in table.partition_keys], values, strict=True)), None)
        return True
    if found := _ADD.match(statement):
        of, name = _split(found["name"], database)
        table = table_of(glue, of, name)
        for part in _PARTITION.finditer(found["parts"]):
            pairs = [pair.partition("=") for pair in part["values"].split(",")]
            add_partition(
                glue, of, table, {key.strip(' `"').lower(): value.strip(" '\"") for key, _, value in pairs}, part["location"]
            )
        return True
    return False


def _quietly(create: Any, glue: Any, *, quiet: bool) -> None:
    try:
        create()
    except glue.exceptions.AlreadyExistsException as error:
        if not quiet:
            raise QueryError(f"AlreadyExistsException: {error}") from error


def _split(name: str, database: str) -> tuple[str, str]:
    parts = [part.strip('`"').lower() for part in name.split(".")]
    return (parts[-2], parts[-1]) if len(parts) > 1 else (database, parts[0])


def _table_input(name: str, columns: str, rest: str) -> dict[str, Any]:
    partitioned = re.search(r"PARTITIONED\s+BY\s*\((.*?)\)", rest, re.IGNORECASE | re.DOTALL)
    location = re.search(r"LOCATION\s*'([^']*)'", rest, re.IGNORECASE)
    if location is None:
        raise QueryError("CREATE EXTERNAL TABLE needs a LOCATION")
    stored = re.search(r"STORED\s+AS\s+(\w+)", rest, re.IGNORECASE)
    serde = re.search(r"SERDE\s*'([^']*)'", rest, re.IGNORECASE)
    kind = (stored[1] if stored else "TEXTFILE").upper()
    library = serde[1] if serde else "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
    options = dict(re.findall(r"'([\w.]+)'\s*=\s*'([^']*)'", rest))
    if delimiter := re.search(r"FIELDS\s+TERMINATED\s+BY\s*'([^']*)'", rest, re.IGNORECASE):
        options["field.delim"] = delimiter[1]
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {key: value for key, value in options.items() if "." in key and not key.startswith("field")},
        "PartitionKeys": _columns(partitioned[1]) if partitioned else [],
        "StorageDescriptor": {
            "Columns": _columns(columns),
            "Location": location[1],
            "InputFormat": f"{'parquet' if kind == 'PARQUET' else 'text'}",
            "SerdeInfo": {"SerializationLibrary": "parquet" if kind == "PARQUET" else library, "Parameters": options},
        },
    }


def _columns(text: str) -> list[dict[str, str]]:
    made = []
    for part in members(text):
        words = part.split(None, 1)
        if len(words) == 2:
            kind = re.split(r"\s+COMMENT\s", words[1], flags=re.IGNORECASE)[0].strip()
            made.append({"Name": words[0].strip('`"').lower(), "Type": kind.replace(" ", "").lower()})
    return made


def add_partition(glue: Any, database: str, table: Table, values: dict[str, str], location: str | None) -> None:
    """Adds a partition, unless it is there: at `location`, or where its values say."""
    ordered = [values[key] for key, _ in table.partition_keys]
    path = location or table.location.rstrip("/") + "/" + "/".join(f"{key}={values[key]}" for key, _ in table.partition_keys) + "/"
    described = {"Values": ordered, "StorageDescriptor": {"Location": path, "Columns": []}}
    try:
        glue.create_partition(DatabaseName=database, TableName=table.name, PartitionInput=described)
    except glue.exceptions.AlreadyExistsException:
        return


def partitions(glue: Any, database: str, table: Table) -> list[tuple[tuple[str, ...], str]]:
    """Returns the partitions of the catalogue as (values, location)."""
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table.name)
    return [(tuple(one["Values"]), one["StorageDescriptor"]["Location"]) for page in pages for one in page["Partitions"]]


def objects(s3: Any, table: Table, known: list[tuple[tuple[str, ...], str]]) -> list[tuple[str, tuple[str, ...], int]]:
    """Returns the objects of a table as (s3://bucket/key, values of the partition keys, bytes): those of the partitions that are known, else those
    whose keys tell their partition (key=value)."""
    found = []
    for values, location in known or [((), table.location)]:
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for one in page.get("Contents", ()):
                name = one["Key"].rpartition("/")[2]
                told = values or _values(one["Key"], table)
                if one["Size"] and not name.startswith(("_", ".")) and told is not None:
                    found.append((f"s3://{bucket}/{one['Key']}", told, one["Size"]))
    return found


def _values(key: str, table: Table) -> tuple[str, ...] | None:
    if not table.partition_keys:
        return ()
    told = dict(part.split("=", 1) for part in key.split("/") if "=" in part)
    lowered = {name.lower(): unquote(value) for name, value in told.items()}
    return (
        tuple(lowered[name] for name, _ in table.partition_keys)
        if all(name in lowered for name, _ in table.partition_keys)
        else None
    )
