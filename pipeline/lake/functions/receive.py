"""Kinesis -> S3: keeps the events of a batch as they came, by the hour in which they happened; poison records go to the dead-letter queue.

The keys are derived from the batch, and nothing in an object is of the moment at which it is written: a batch that comes again overwrites its objects with the same bytes.
"""

from __future__ import annotations

import base64
import os
import time
import traceback
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.clickstream.transforms import ndjson
from pipeline.delivery.alerts import alert_undelivered
from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue
from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.lake.transforms import Rejected, bronze_key, bronze_row

if TYPE_CHECKING:
    from collections.abc import Sequence

FUNCTION = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
BUCKET = os.environ["LAKE_BUCKET"]
TOPIC = os.environ["ALERT_TOPIC_ARN"]

logger = Logger(service="lake-receive")
metrics = metrics_of("Lake", "lake-receive")
_patient = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=10)
_brisk = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
s3 = boto3.client("s3", config=_patient)
sns = boto3.client("sns", config=_brisk)
dead_letters = DeadLetterQueue(
    boto3.client("sqs", config=_brisk), s3, os.environ["DEAD_LETTER_QUEUE_URL"], os.environ["DEAD_LETTER_BUCKET"], FUNCTION
)


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handles a batch of a Kinesis event source mapping with ReportBatchItemFailures: what fails, fails the whole batch, which comes again as it was."""
    started = time.perf_counter()
    shard_id = event["Records"][0]["eventID"].partition(":")[0]
    batch = [record["kinesis"] for record in event["Records"]]
    first, last = batch[0]["sequenceNumber"], batch[-1]["sequenceNumber"]
    hours = defaultdict(list)
    letters = []
    for record in batch:
        payload = base64.b64decode(record["data"])
        received_at = datetime.fromtimestamp(record["approximateArrivalTimestamp"], UTC).isoformat(timespec="milliseconds")
        row = bronze_row(payload, received_at=received_at, shard_id=shard_id, sequence_number=record["sequenceNumber"])
        if isinstance(row, Rejected):
            letters.append(_letter(record, payload, row, shard_id))
        else:
            hours[row.hour].append(row.document)
    try:
        for hour, documents in hours.items():
            key = bronze_key(hour, shard_id, first, last)
            s3.put_object(Bucket=BUCKET, Key=key, Body=ndjson(documents), ContentType="application/x-ndjson")
        _hand_on(letters, context.aws_request_id)
    except Exception:  # whatever failed, the answer is the same
        logger.exception("batch not kept", extra={"shard": shard_id, "first": first})
        count_records(metrics, received=len(batch), processed=0, started=started)
        return {"batchItemFailures": [{"itemIdentifier": first}]}
    count_records(metrics, received=len(batch), processed=len(batch) - len(letters), started=started)
    return {"batchItemFailures": []}


class UndeliveredError(Exception):
    """Neither the dead-letter queue nor the alert topic took the poison records."""


def _hand_on(letters: Sequence[DeadLetter], request_id: str) -> None:
    unsent = dead_letters.send(letters, failed_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"), request_id=request_id)
    if alert_undelivered(sns, TOPIC, unsent, queue=dead_letters, request_id=request_id):
        raise UndeliveredError


def _letter(record: dict[str, Any], payload: bytes, why: Rejected, shard_id: str) -> DeadLetter:
    return DeadLetter(
        payload=payload,
        record_id=None,
        error_name=why.error,
        error_message=why.message,
        stack="".join(traceback.format_stack(limit=3)),
        attempts=1,
        shard_id=shard_id,
        sequence_number=record["sequenceNumber"],
        partition_key=record["partitionKey"],
    )
