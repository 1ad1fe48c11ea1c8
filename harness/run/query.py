"""Runs SQL over the emulated lake by the API of Athena: what `pipeproof query` does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from harness.errors import UnknownVerdictError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.emulator.clients import Clients

_POLL_S = 0.1
_ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query found: names and types of the columns, rows of texts (None for null), bytes scanned and seconds that it took."""

    columns: list[tuple[str, str]]
    rows: list[list[str | None]]
    scanned_bytes: int
    took_s: float


def query(clients: Clients, statement: str, database: str | None, check: Callable[[], None]) -> Rows:
    """Runs a statement in `database`, or in the only one of the catalogue; waits for its end. `check` raises where the emulator is gone.

    Raises UsageError for a query that Athena does not run, with its reason, UnknownVerdictError where the endpoint fails."""
    if not statement.strip(" \t\r\n;"):
        raise UsageError("the statement is empty: expected SQL, such as 'SELECT * FROM a_table'")
    bucket = f"pipeproof-queries-{clients.account}-{time.time_ns() // 1_000_000}"
    s3 = clients("s3")
    try:
        database = database or _only_database(clients)
        s3.create_bucket(Bucket=bucket)
        try:
            return _run(clients("athena"), statement, database, f"s3://{bucket}/", check)
        finally:
            _remove(s3, bucket)
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "InvalidRequestException":
            raise UsageError(f"the query cannot be run: {error.response['Error']['Message']}") from error
        raise UnknownVerdictError(f"{clients.endpoint}: {error}") from error


def _only_database(clients: Clients) -> str:
    pages = clients("glue").get_paginator("get_databases").paginate()
    there = [found["Name"] for page in pages for found in page["DatabaseList"]]
    if len(there) != 1:
        raise UsageError(f"which database? --database names one; Glue's catalogue has {', '.join(there) or 'none'}")
    return str(there[0])


def _run(athena: Any, statement: str, database: str, place: str, check: Callable[[], None]) -> Rows:
    began = time.monotonic()
    query_id = athena.start_query_execution(
        QueryString=statement,
        QueryExecutionContext={"Database": database},
        ResultConfiguration={"OutputLocation": place},
    )["QueryExecutionId"]
    try:
        while (found := athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"])["Status"]["State"] not in _ENDED:
            check()
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        athena.stop_query_execution(QueryExecutionId=query_id)
        raise
    if found["Status"]["State"] != "SUCCEEDED":
        raise UsageError(
            f"the query ended as {found['Status']['State']}: {found['Status'].get('StateChangeReason', 'no reason was given')}"
        )
    columns: list[tuple[str, str]] = []
    rows: list[list[str | None]] = []
    for page in athena.get_paginator("get_query_results").paginate(QueryExecutionId=query_id):
        columns = [(column["Name"], column["Type"]) for column in page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
        rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in page["ResultSet"]["Rows"]]
    # The first row of a SELECT has the names of the columns.
    if rows and rows[0] == [name for name, _ in columns]:
        del rows[0]
    return Rows(columns, rows, found["Statistics"].get("DataScannedInBytes", 0), time.monotonic() - began)


def _remove(s3: Any, bucket: str) -> None:
    """Removes what Athena has written for the query. Says so where that fails; the query's own end is told all the same."""
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                s3.delete_object(Bucket=bucket, Key=item["Key"])
        s3.delete_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        click.echo(f"the bucket {bucket} of this query's results stays: {error}", err=True)
