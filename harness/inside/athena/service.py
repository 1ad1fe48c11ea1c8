"""The operations of Athena that run queries; workgroups, named queries and catalogues are moto's.

Source: https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
"""

from __future__ import annotations

import csv
import io
import logging
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from localstack.aws.api import CommonServiceException
from localstack.aws.connect import connect_to
from moto.athena.models import athena_backends

from harness.inside import forgotten
from harness.inside.athena import catalogue, query
from harness.inside.gauges.deliveries import DELIVERIES

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

LOG = logging.getLogger(__name__)

_PAGE = 1000


@dataclass
class Execution:
    """A query: what DescribeQueryExecution tells, and its rows as texts (None for null)."""

    described: dict[str, Any]
    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[list[str | None]] = field(default_factory=list)
    stopped: bool = False


_executions: dict[tuple[str, str, str], Execution] = {}
_tokens: dict[tuple[str, str, str], tuple[str, dict[str, Any]]] = {}
"""By account, region and ClientRequestToken: the query's id, and what was asked."""
_tokens_lock = threading.Lock()


def start_query_execution(context: RequestContext, request: Any) -> dict[str, Any]:
    """Starts a query on a thread, which counts as under way. The same request with the same token starts it once."""
    output = (request.get("ResultConfiguration") or {}).get("OutputLocation") or _workgroup_output(
        context, request.get("WorkGroup")
    )
    if not output:
        raise _invalid(
            "No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input."
        )
    token = (context.account_id, context.region, request.get("ClientRequestToken") or str(uuid4()))
    asked = {
        name: request.get(name) for name in ("QueryString", "QueryExecutionContext", "ResultConfiguration", "ExecutionParameters")
    }
    with _tokens_lock:
        key, known = _tokens.setdefault(token, (str(uuid4()), asked))
        if known != asked:
            raise _invalid("Idempotent parameters do not match")
        if (context.account_id, context.region, key) in _executions:
            return {"QueryExecutionId": key}
        return _started(context, request, key, output)


def _started(context: RequestContext, request: Any, key: str, output: str) -> dict[str, Any]:
    statement = request["QueryString"].strip().rstrip(";")
    kind = (
        "DDL"
        if statement.split(None, 1)[0].upper() in {"CREATE", "DROP", "ALTER", "MSCK"} and "SELECT" not in statement.upper().split()
        else "DML"
    )
    place = f"{output.rstrip('/')}/{key}.{'txt' if kind == 'DDL' else 'csv'}"
    described = {
        "QueryExecutionId": key, "Query": statement, "StatementType": kind, "ResultConfiguration": {"OutputLocation": place},
        "QueryExecutionContext": request.get("QueryExecutionContext") or {}, "WorkGroup": request.get("WorkGroup") or "primary",
        "Status": {"State": "QUEUED", "SubmissionDateTime": datetime.now(UTC)}, "Statistics": {"DataScannedInBytes": 0},
    }  # fmt: skip
    execution = _executions[context.account_id, context.region, key] = Execution(described)
    for value in request.get("ExecutionParameters") or ():
        statement = statement.replace("?", value, 1)
    DELIVERIES.enter(context.account_id)
    threading.Thread(
        target=_run, args=(context.account_id, context.region, execution, statement, place), name=f"athena-{key}", daemon=True
    ).start()
    return {"QueryExecutionId": key}


def _workgroup_output(context: RequestContext, name: str | None) -> str | None:
    group = athena_backends[context.account_id][context.region].work_groups.get(name or "primary")
    configuration = (getattr(group, "configuration", None) or {}) if group else {}
    return (configuration.get("ResultConfiguration") or {}).get("OutputLocation")


def _run(account: str, region: str, execution: Execution, statement: str, place: str) -> None:
    status, began = execution.described["Status"], time.monotonic()
    status["State"] = "RUNNING"
    try:
        _execute(account, region, execution, statement, place)
        status["State"] = "CANCELLED" if execution.stopped else "SUCCEEDED"
    except Exception as error:  # noqa: BLE001 - whatever a query fails with is told by GetQueryExecution
        LOG.info("Query %s failed: %s", execution.described["QueryExecutionId"], error)
        status |= {
            "State": "FAILED",
            "StateChangeReason": str(error),
            "AthenaError": {"ErrorCategory": 2, "ErrorMessage": str(error)},
        }
    finally:
        status["CompletionDateTime"] = datetime.now(UTC)
        took_ms = round((time.monotonic() - began) * 1000)
        execution.described["Statistics"] |= {"EngineExecutionTimeInMillis": took_ms, "TotalExecutionTimeInMillis": took_ms}
        DELIVERIES.leave(account)


def _execute(account: str, region: str, execution: Execution, statement: str, place: str) -> None:
    clients = connect_to(aws_access_key_id=account, region_name=region)
    glue, s3 = clients.get_client("glue"), clients.s3
    database = (execution.described["QueryExecutionContext"].get("Database") or "default").lower()
    bucket, _, key = place.removeprefix("s3://").partition("/")
    if catalogue.run_ddl(statement, glue, s3, database):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
        return
    with tempfile.TemporaryDirectory(prefix="athena-") as folder:
        result = query.run(statement, database, glue, s3, Path(folder))
    execution.columns = result.columns
    execution.rows = [[_text(value) for value in row] for row in result.rows]
    execution.described["Statistics"]["DataScannedInBytes"] = result.scanned_bytes
    body = io.StringIO()
    writer = csv.writer(body, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([name for name, _ in result.columns])
    for row in execution.rows:
        # A null is nothing, an empty string is a pair of quotes.
        body.write(",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in row) + "\n")
    if result.columns:
        s3.put_object(Bucket=bucket, Key=key, Body=body.getvalue().encode())


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03d}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_text(member)}" for key, member in value.items()) + "}"
    return "[" + ", ".join(str(_text(member)) for member in value) + "]" if isinstance(value, list) else str(value)


def get_query_execution(context: RequestContext, request: Any) -> dict[str, Any]:
    """Tells the state of a query."""
    return {"QueryExecution": _found(context, request["QueryExecutionId"]).described}


@forgotten.with_account
def forget(account: str) -> None:
    for kept in (_executions, _tokens):
        for key in [key for key in list(kept) if key[0] == account]:
            kept.pop(key, None)


def list_query_executions(context: RequestContext, _request: Any) -> dict[str, Any]:
    """Lists the queries of the account."""
    return {
        "QueryExecutionIds": [
            key for account, region, key in _executions if (account, region) == (context.account_id, context.region)
        ]
    }


def stop_query_execution(context: RequestContext, request: Any) -> dict[str, Any]:
    """Marks a query as cancelled."""
    _found(context, request["QueryExecutionId"]).stopped = True
    return {}


def get_query_results(context: RequestContext, request: Any) -> dict[str, Any]:
    """Returns rows, the first of the first page being the names of the columns."""
    execution = _found(context, request["QueryExecutionId"])
    state = execution.described["Status"]["State"]
    if state != "SUCCEEDED":
        raise _invalid(f"Query has not yet finished. Current state: {state}")
    rows: list[list[str | None]] = [[name for name, _ in execution.columns], *execution.rows] if execution.columns else []
    first = int(request.get("NextToken") or 0)
    page = rows[first : first + (request.get("MaxResults") or _PAGE)]
    told = [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in page]
    columns = [
        {"Name": name, "Label": name, "Type": kind, "CatalogName": "hive", "SchemaName": "", "TableName": "", "Nullable": "UNKNOWN"}
        for name, kind in execution.columns
    ]
    following = first + len(page)
    more = {"NextToken": str(following)} if following < len(rows) else {}
    return {"ResultSet": {"Rows": told, "ResultSetMetadata": {"ColumnInfo": columns}}, "UpdateCount": 0, **more}


def _found(context: RequestContext, key: str) -> Execution:
    execution = _executions.get((context.account_id, context.region, key))
    if execution is None:
        raise _invalid(f"QueryExecution {key} was not found")
    return execution


def _invalid(message: str) -> CommonServiceException:
    return CommonServiceException("InvalidRequestException", message, status_code=400, sender_fault=True)


OPERATIONS = {
    "StartQueryExecution": start_query_execution,
    "GetQueryExecution": get_query_execution,
    "ListQueryExecutions": list_query_executions,
    "StopQueryExecution": stop_query_execution,
    "GetQueryResults": get_query_results,
}
