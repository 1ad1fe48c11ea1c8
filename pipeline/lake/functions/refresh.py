"""A schedule -> Athena: builds the days anew of which the bronze layer has other objects than at their last build.

A day is built as a whole, from all of its bronze objects: late events change its gold, and a refresh that comes twice, or after one that failed, leads to the
same. Its silver and gold go to a place of their own, in one file for each hour; then the partitions of the catalogue are pointed there. Who reads meanwhile
sees the day as it was, and bronze objects that come meanwhile are of the next refresh. What was built before is removed by the next refresh, when
no query reads it any more. There is one refresh at a time (the function's reserved concurrency).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.lake.transforms import Day, days, superseded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUCKET = os.environ["LAKE_BUCKET"]
RESULTS = os.environ["RESULT_BUCKET"]
DATABASE = os.environ["LAKE_DATABASE"]
QUERIES = Path(__file__).parents[1] / "queries"
FINGERPRINT, BUILD = "fingerprint", "build"
_POLL_S = 0.2
_SPARE_MS = 60_000
_KEYS_PER_DELETE = 1000
_PARTITIONS_PER_BATCH = 100

logger = Logger(service="lake-refresh")
_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=20)
s3, athena, glue = (boto3.client(name, config=_config) for name in ("s3", "athena", "glue"))


class QueryFailedError(Exception):
    """Athena ended a query otherwise than by success."""


def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Returns which days were built. Those for which the time was too short are of the next refresh."""
    gold = {partition["Values"][0]: partition.get("Parameters", {}) for partition in _partitions("gold")}
    built = {dt: parameters.get(BUILD, "") for dt, parameters in gold.items()}
    _remove(superseded((*_keys("silver/"), *_keys("gold/")), built))
    done, left = [], []
    for day in days(_keys("bronze/")):
        if gold.get(day.dt, {}).get(FINGERPRINT) == day.fingerprint:
            continue
        if context.get_remaining_time_in_millis() < _SPARE_MS:
            left.append(day.dt)
            continue
        _build(day, f"{day.fingerprint[:16]}-{uuid4().hex[:12]}")
        done.append(day.dt)
    if left:
        logger.warning("days left for the next refresh", extra={"days": left})
    return {"built": done, "left": left}


def _build(day: Day, build: str) -> None:
    """Builds silver, then gold, and points the partitions there. The day counts as built with the last step, which names the bronze objects."""
    _point("bronze", {(day.dt, hour): f"bronze/dt={day.dt}/hour={hour}/" for hour in day.hours})
    silver = f"silver/dt={day.dt}/build={build}"
    _write("silver", day, f"{silver}/", build, partitioned_by="hour")
    hours = sorted({key.split("/hour=")[1].partition("/")[0] for key in _keys(f"{silver}/")})
    _point("silver", {(day.dt, hour): f"{silver}/hour={hour}/" for hour in hours})
    # An event that was sent twice, with two times, may have left its hour: that hour's partition is of another build.
    for partition in list(_partitions("silver")):
        if partition["Values"][0] == day.dt and partition["Values"][1] not in hours:
            glue.delete_partition(DatabaseName=DATABASE, TableName="silver", PartitionValues=partition["Values"])
    gold = f"gold/dt={day.dt}/build={build}/"
    _write("gold", day, gold, build)
    _point("gold", {(day.dt,): gold}, {FINGERPRINT: day.fingerprint, BUILD: build})


def _write(layer: str, day: Day, place: str, build: str, *, partitioned_by: str = "") -> None:
    """Writes the rows of the layer's query to a place. The table that CREATE TABLE AS makes for that is dropped; its objects stay."""
    table = f"{layer}_{build.replace('-', '_')}"
    keys = f", partitioned_by = ARRAY['{partitioned_by}']" if partitioned_by else ""
    select = (QUERIES / f"{layer}.sql").read_text()
    _query(f"DROP TABLE IF EXISTS {table}")
    _query(
        f"CREATE TABLE {table} WITH (format = 'PARQUET', external_location = 's3://{BUCKET}/{place}'{keys}) AS\n{select}",
        # A parameter is a literal.
        [f"'{day.dt}'"],
    )
    _query(f"DROP TABLE IF EXISTS {table}")


def _query(statement: str, parameters: Sequence[str] = ()) -> None:
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
        time.sleep(_POLL_S)


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


def _keys(prefix: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
        yield from (item["Key"] for item in page.get("Contents", []))


def _remove(keys: Sequence[str]) -> None:
    """What is not removed now is removed by the next refresh."""
    for start in range(0, len(keys), _KEYS_PER_DELETE):
        some = [{"Key": key} for key in keys[start : start + _KEYS_PER_DELETE]]
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": some, "Quiet": True})
