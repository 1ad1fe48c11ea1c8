"""A schedule -> Athena: builds the days anew of which the bronze layer has other objects than at their last build.

A day is built as a whole, from all of its bronze objects: late events change its gold, and a refresh that comes twice, or after one that failed,
leads to the same. Each build has a folder in silver and in gold. Once silver is written, the catalogue's partitions are pointed to it, then the
same with gold; between the two a query may see a silver that is newer than gold. Bronze objects that come meanwhile are of the next refresh.
A refresh removes the builds to which no partition points, so that a query has the time until the next refresh to read the build with which
it began. There is one refresh at a time (the function's reserved concurrency).
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import ClientError

from pipeline.lake.transforms import Day, build_of, days, superseded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUCKET = os.environ["LAKE_BUCKET"]
RESULTS = os.environ["RESULT_BUCKET"]
DATABASE = os.environ["LAKE_DATABASE"]
QUERIES = Path(__file__).parents[1] / "queries"
FINGERPRINT, BUILD = "fingerprint", "build"
_POLL_S = 0.2
# A day is begun with that much time left. A query that goes on into the last seconds is stopped: it must not write after the function's end.
_SPARE_MS = 60_000
_STOP_MS = 5_000
_KEYS_PER_DELETE = 1000
_PARTITIONS_PER_BATCH = 100

logger = Logger(service="lake-refresh")
_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=20)
s3, athena, glue = (boto3.client(name, config=_config) for name in ("s3", "athena", "glue"))


class QueryFailedError(Exception):
    """Athena ended a query otherwise than by success."""


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Returns which days were built. Those for which the time was too short are of the next refresh. Raises QueryFailedError at the end where
    some could not be built."""
    gold = {partition["Values"][0]: partition.get("Parameters", {}) for partition in _partitions("gold")}
    in_use = {parameters.get(BUILD, "") for parameters in gold.values()}
    # A refresh that ended between silver and gold has left silver's partitions with a build that gold does not name.
    in_use |= {build_of(partition["StorageDescriptor"]["Location"]) for partition in _partitions("silver")}
    _drop_tables_left()
    _remove(superseded((key for layer in ("silver/", "gold/") for key, _ in _objects(layer)), in_use))
    done, left, failed = [], [], []
    for day in days(_objects("bronze/")):
        if gold.get(day.dt, {}).get(FINGERPRINT) == day.fingerprint:
            continue
        if context.get_remaining_time_in_millis() < _SPARE_MS:
            left.append(day.dt)
            continue
        try:
            _build(day, f"{day.fingerprint[:16]}-{uuid4().hex[:12]}", context)
            done.append(day.dt)
        except (QueryFailedError, ClientError):
            logger.exception("day not built", extra={"day": day.dt})
            failed.append(day.dt)
    if left:
        logger.warning("days left for the next refresh", extra={"days": left})
    if failed:
        message = f"days not built: {', '.join(failed)}"
        raise QueryFailedError(message)
    return {"built": done, "left": left}


def _build(day: Day, build: str, context: Any) -> None:
    """Builds silver, then gold, and points the partitions there. The day counts as built with the last step, which names the bronze objects."""
    _point("bronze", {(day.dt, hour): f"bronze/dt={day.dt}/hour={hour}/" for hour in day.hours})
    silver = f"silver/dt={day.dt}/build={build}"
    _write("silver", day, f"{silver}/", build, context, partitioned_by="hour")
    hours = sorted({key.split("/hour=")[1].partition("/")[0] for key, _ in _objects(f"{silver}/")})
    _point("silver", {(day.dt, hour): f"{silver}/hour={hour}/" for hour in hours})
    # An event that was sent twice, with two times, may have left its hour: that hour's partition is of another build.
    for partition in list(_partitions("silver")):
        if partition["Values"][0] == day.dt and partition["Values"][1] not in hours:
            glue.delete_partition(DatabaseName=DATABASE, TableName="silver", PartitionValues=partition["Values"])
    gold = f"gold/dt={day.dt}/build={build}/"
    _write("gold", day, gold, build, context)
    _point("gold", {(day.dt,): gold}, {FINGERPRINT: day.fingerprint, BUILD: build})


def _write(layer: str, day: Day, place: str, build: str, context: Any, *, partitioned_by: str = "") -> None:
    """Writes the rows of the layer's query to a place. The table that CREATE TABLE AS makes for that is dropped; its objects stay."""
    table = f"{layer}_{build.replace('-', '_')}"
    keys = f", partitioned_by = ARRAY['{partitioned_by}']" if partitioned_by else ""
    select = (QUERIES / f"{layer}.sql").read_text()
    _query(
        context,
        f"CREATE TABLE {table} WITH (format = 'PARQUET', external_location = 's3://{BUCKET}/{place}'{keys}) AS\n{select}",
        # A parameter is a literal.
        [f"'{day.dt}'"],
    )
    _drop(table)


def _query(context: Any, statement: str, parameters: Sequence[str] = ()) -> None:
    given = {"ExecutionParameters": list(parameters)} if parameters else {}
    query = athena.start_query_execution(
        QueryString=statement,
        QueryExecutionContext={"Database": DATABASE},
        ResultConfiguration={"OutputLocation": f"s3://{RESULTS}/queries/"},
        **given,
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return
        if status["State"] not in {"QUEUED", "RUNNING"}:
            message = f"{status['State']}: {status.get('StateChangeReason')}: {statement.splitlines()[0]}"
            raise QueryFailedError(message)
        if context.get_remaining_time_in_millis() < _STOP_MS:
            athena.stop_query_execution(QueryExecutionId=query)
            message = f"stopped, as the function's time is over: {statement.splitlines()[0]}"
            raise QueryFailedError(message)
        time.sleep(_POLL_S)


def _drop_tables_left() -> None:
    """Drops the tables of builds that ended before they could."""
    for page in glue.get_paginator("get_tables").paginate(DatabaseName=DATABASE, Expression="(silver|gold)_.*"):
        for table in page["TableList"]:
            _drop(table["Name"])


def _drop(table: str) -> None:
    """Drops a table of the catalogue. Its objects stay, as with DROP TABLE of an external table."""
    with suppress(glue.exceptions.EntityNotFoundException):
        glue.delete_table(DatabaseName=DATABASE, Name=table)


def _point(table: str, places: dict[tuple[str, ...], str], parameters: dict[str, str] | None = None) -> None:
    """Makes the partitions of the catalogue those places, the ones that are there too."""
    storage = glue.get_table(DatabaseName=DATABASE, Name=table)["Table"]["StorageDescriptor"]
    inputs = [
        {
            "Values": list(values),
            "StorageDescriptor": {**storage, "Location": f"s3://{BUCKET}/{place}"},
            "Parameters": parameters or {},
        }
        for values, place in places.items()
    ]
    for start in range(0, len(inputs), _PARTITIONS_PER_BATCH):
        some = inputs[start : start + _PARTITIONS_PER_BATCH]
        failed = glue.batch_create_partition(DatabaseName=DATABASE, TableName=table, PartitionInputList=some).get("Errors", [])
        for error in failed:
            if error["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException":
                message = f"partition {error['PartitionValues']} of {table}: {error['ErrorDetail']}"
                raise QueryFailedError(message)
            (known,) = (one for one in some if one["Values"] == error["PartitionValues"])
            glue.update_partition(DatabaseName=DATABASE, TableName=table, PartitionValueList=known["Values"], PartitionInput=known)


def _partitions(table: str) -> Iterator[dict[str, Any]]:
    for page in glue.get_paginator("get_partitions").paginate(DatabaseName=DATABASE, TableName=table):
        yield from page["Partitions"]


def _objects(prefix: str) -> Iterator[tuple[str, str]]:
    """Yields key and ETag of each object there."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        yield from ((item["Key"], item["ETag"]) for item in page.get("Contents", []))


def _remove(keys: Sequence[str]) -> None:
    """What is not removed now is removed by the next refresh."""
    for start in range(0, len(keys), _KEYS_PER_DELETE):
        some = [{"Key": key} for key in keys[start : start + _KEYS_PER_DELETE]]
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": some, "Quiet": True})
