"""SQS -> S3: takes dead letters again, once the cause is mended.

The function stores each event in one object, and derives the key from the event's place in the stream: a letter that comes twice overwrites that object. One that is
still poison goes back to the dead-letter queue, with one attempt more.
"""

from __future__ import annotations

import json
import os
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.clickstream import transforms
from pipeline.clickstream.users import Users
from pipeline.delivery.alerts import alert_undelivered
from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue, opened

FUNCTION = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
BUCKET = os.environ["EVENT_BUCKET"]
TOPIC = os.environ["ALERT_TOPIC_ARN"]
EVENT_TYPES = frozenset(os.environ["EVENT_TYPES"].split(","))

logger = Logger(service="clickstream-redrive")
_patient = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=10)
s3 = boto3.client("s3", config=_patient)
sns = boto3.client("sns", config=_patient)
users = Users(boto3.client("dynamodb", config=_patient), os.environ["USERS_TABLE"])
dead_letters = DeadLetterQueue(
    boto3.client("sqs", config=_patient), s3, os.environ["DEAD_LETTER_QUEUE_URL"], os.environ["DEAD_LETTER_BUCKET"], FUNCTION
)


class StillUndeliveredError(Exception):
    """Neither the dead-letter queue nor the alert topic took a letter back."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handles a batch of an SQS event source mapping with ReportBatchItemFailures."""
    failures = []
    for message in event["Records"]:
        try:
            _again(opened(json.loads(message["body"]), s3), context.aws_request_id)
        except Exception:  # whatever failed, the message comes again, and in the end SQS moves it to the dead-letter queue as it is
            logger.exception("letter not taken", extra={"letter": message["messageId"]})
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def _again(letter: DeadLetter, request_id: str) -> None:
    event = transforms.parse(letter.payload, EVENT_TYPES)
    if isinstance(event, transforms.Rejected):
        _give_back(letter, event, request_id)
    else:
        _store(letter, event)


def _store(letter: DeadLetter, event: transforms.Accepted) -> None:
    if letter.shard_id is None or letter.sequence_number is None:
        raise ValueError("the letter does not say where in the stream its event stands")
    first = users.first_event_ids({event.user_id: event.event_id})[event.user_id]
    document = transforms.enrich(event, processed_at=datetime.now(UTC), is_new_user=first == event.event_id)
    key = transforms.object_key(event.hour, letter.shard_id, letter.sequence_number, letter.sequence_number)
    s3.put_object(Bucket=BUCKET, Key=key, Body=transforms.ndjson([document]), ContentType="application/x-ndjson")


def _give_back(letter: DeadLetter, why: transforms.Rejected, request_id: str) -> None:
    again = replace(
        letter,
        error_name=why.error,
        error_message=why.message,
        stack="".join(traceback.format_stack(limit=3)),
        attempts=letter.attempts + 1,
    )
    unsent = dead_letters.send([again], failed_at=datetime.now(UTC).isoformat().replace("+00:00", "Z"), request_id=request_id)
    if alert_undelivered(sns, TOPIC, unsent, queue=dead_letters, request_id=request_id):
        raise StillUndeliveredError(letter.sequence_number)
