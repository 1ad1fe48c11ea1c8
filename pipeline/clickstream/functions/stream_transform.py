"""Kinesis -> S3: takes a batch of events, stores the good ones by hour, dead-letters the poison ones.

The order of the steps is what keeps a retry from doubling or dropping anything:

1. Poison records go to the dead-letter queue; where it refuses them, an alert names them. One that neither takes ends the
   batch before it: the records up to there are stored, and the mapping comes back with it and the rest.
2. The events before that point are stored, one object per hour, under a key derived from the batch. If anything fails here the
   whole batch is reported and comes back as it was: the same keys, overwritten.
"""

from __future__ import annotations

import base64
import os
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.clickstream import transforms
from pipeline.clickstream.users import Users
from pipeline.delivery.alerts import alert_undelivered
from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue
from pipeline.delivery.metrics import count_records, metrics_of

FUNCTION = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
BUCKET = os.environ["EVENT_BUCKET"]
TOPIC = os.environ["ALERT_TOPIC_ARN"]
EVENT_TYPES = frozenset(os.environ["EVENT_TYPES"].split(","))

logger = Logger(service="clickstream-transform")
metrics = metrics_of("Clickstream", "clickstream-transform")

# An answer that does not come in ten seconds is asked for again, well before the function's own time is over.
_patient = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=10, max_pool_connections=10
)
# Where there is another place to go, the function does not wait long: queue, then alert, then the mapping's retry.
_brisk = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=5)
s3 = boto3.client("s3", config=_patient)
sns = boto3.client("sns", config=_brisk)
users = Users(boto3.client("dynamodb", config=_patient), os.environ["USERS_TABLE"])
dead_letters = DeadLetterQueue(
    boto3.client("sqs", config=_brisk), s3, os.environ["DEAD_LETTER_QUEUE_URL"], os.environ["DEAD_LETTER_BUCKET"], FUNCTION
)


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record of the batch, decoded and parsed."""

    sequence_number: str
    partition_key: str
    payload: bytes
    event: transforms.Accepted | transforms.Rejected


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handles a batch of a Kinesis event source mapping with ReportBatchItemFailures."""
    started = time.perf_counter()
    shard_id = event["Records"][0]["eventID"].partition(":")[0]
    batch = [_record(record["kinesis"]) for record in event["Records"]]
    now = datetime.now(UTC)

    undeliverable = _dead_letter(batch, shard_id, now, context.aws_request_id)
    cut = next((i for i, record in enumerate(batch) if record.sequence_number in undeliverable), len(batch))
    retry_from = batch[cut].sequence_number if cut < len(batch) else None
    done = batch[:cut]
    try:
        _store(done, shard_id, now)
    except Exception:  # whatever failed, the answer is the same: the batch comes back as a whole
        logger.exception("batch not stored", extra={"shard": shard_id, "first": batch[0].sequence_number})
        done, retry_from = [], batch[0].sequence_number

    processed = sum(isinstance(record.event, transforms.Accepted) for record in done)
    count_records(metrics, received=len(batch), processed=processed, started=started)
    return {"batchItemFailures": [{"itemIdentifier": retry_from}] if retry_from else []}


def _record(kinesis: dict[str, Any]) -> StreamRecord:
    payload = base64.b64decode(kinesis["data"])
    return StreamRecord(kinesis["sequenceNumber"], kinesis["partitionKey"], payload, transforms.parse(payload, EVENT_TYPES))


def _dead_letter(batch: list[StreamRecord], shard_id: str, now: datetime, request_id: str) -> set[str]:
    """Hands the poison records on; returns the sequence numbers of those that neither queue nor alert took."""
    letters = [
        DeadLetter(
            payload=record.payload,
            record_id=None,
            error_name=record.event.error,
            error_message=record.event.message,
            stack="".join(traceback.format_stack(limit=3)),
            attempts=1,
            shard_id=shard_id,
            sequence_number=record.sequence_number,
            partition_key=record.partition_key,
        )
        for record in batch
        if isinstance(record.event, transforms.Rejected)
    ]
    if not letters:
        return set()
    failed_at = now.isoformat().replace("+00:00", "Z")
    refused = dead_letters.send(letters, failed_at=failed_at, request_id=request_id)
    if refused:
        logger.error("dead-letter queue refused records", extra={"count": len(refused)})
        refused = alert_undelivered(sns, TOPIC, refused, queue=dead_letters, request_id=request_id)
    return {letter.sequence_number for letter in refused if letter.sequence_number}


def _store(batch: list[StreamRecord], shard_id: str, now: datetime) -> None:
    events = [record.event for record in batch if isinstance(record.event, transforms.Accepted)]
    if not events:
        return
    firsts = users.first_event_ids(transforms.first_events(events))
    first, last = batch[0].sequence_number, batch[-1].sequence_number
    for hour, group in transforms.group_by_hour(events).items():
        documents = [
            transforms.enrich(event, processed_at=now, is_new_user=firsts[event.user_id] == event.event_id) for event in group
        ]
        key = transforms.object_key(hour, shard_id, first, last)
        s3.put_object(Bucket=BUCKET, Key=key, Body=transforms.ndjson(documents), ContentType="application/x-ndjson")
