"""SQS -> S3: normalises the lines of uploads, and sends those that are malformed to the dead-letter queue.

A message is a notification of S3, or what an earlier invocation has left of an upload. Every step is the same when it is done again: an
upload is one version of an object, its parts are cut by the bytes of the file alone, and each part has its own key.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.delivery.alerts import alert_undelivered
from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue
from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.files import failed_files
from pipeline.files.failed_files import FileRejectedError
from pipeline.files.uploads import uploads
from pipeline.logs import files, transforms
from pipeline.logs.lines import MAX_LINE_BYTES, Line, Place, lines

if TYPE_CHECKING:
    from pipeline.files.uploads import Upload

logger = Logger(service="logs-process")
metrics = metrics_of("Logs", "logs-process")
_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=20)
s3 = boto3.client("s3", config=_config)
sqs = boto3.client("sqs", config=_config)
sns = boto3.client("sns", config=_config)

BUCKET = os.environ["LOG_BUCKET"]
QUEUE_URL = os.environ["LOG_QUEUE_URL"]
TOPIC = os.environ["ALERT_TOPIC_ARN"]
PART_BYTES = int(os.environ["PART_BYTES"])
PART_LINES = int(os.environ["PART_LINES"])
PARTS_PER_INVOCATION = int(os.environ["PARTS_PER_INVOCATION"])
# The share of its time that an invocation keeps for the part under way.
_RESERVE = 0.4
DEAD_LETTER_BUCKET = os.environ["DEAD_LETTER_BUCKET"]
dead_letters = DeadLetterQueue(
    sqs, s3, os.environ["DEAD_LETTER_QUEUE_URL"], DEAD_LETTER_BUCKET, os.environ["AWS_LAMBDA_FUNCTION_NAME"]
)
# SQS knows no longer one.
_LONGEST_DELAY_S = 43_200


class UnknownMessageError(Exception):
    """The message is no notification of S3."""


class UndeliveredError(Exception):
    """Neither the dead-letter queue nor the alert topic took the lines."""


@dataclass
class Budget:
    """What an invocation may still do: parts, and the time that `context` knows."""

    context: Any
    parts: int = PARTS_PER_INVOCATION

    def __post_init__(self) -> None:
        self._reserve_ms = self.context.get_remaining_time_in_millis() * _RESERVE

    def is_spent(self) -> bool:
        """Returns whether the rest must be another invocation's."""
        return self.parts <= 0 or self.context.get_remaining_time_in_millis() < self._reserve_ms


@dataclass
class Part:
    """The lines of an upload that become one object. Where it ends depends on the file alone: PART_BYTES or PART_LINES."""

    number: int
    size: int = 0
    lines: int = 0
    documents: list[bytes] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Handles a batch of an SQS event source mapping with ReportBatchItemFailures."""
    budget, failed = Budget(context), []
    for message in event["Records"]:
        try:
            _handle(json.loads(message["body"]), budget)
        except Exception:  # whatever failed: this message comes back, and the others are done
            logger.exception("message not done", extra={"message_id": message["messageId"]})
            failed.append({"itemIdentifier": message["messageId"]})
            _soon_again(message)
    return {"batchItemFailures": failed}


def _handle(body: dict[str, Any], budget: Budget) -> None:
    if body.get("Event") == "s3:TestEvent":
        return
    named = uploads(body)
    if not named:
        raise UnknownMessageError(f"expected a notification of S3, found {', '.join(body)[:200]}")
    for upload in named:
        start = Place(*body.get("resumeAt", Place()))
        try:
            if start == Place() and not budget.is_spent():
                files.check(s3, upload)
            _process(upload, start, budget)
        except FileRejectedError as error:
            name, _, reason = str(error).partition(": ")
            failed_files.alert_failed_file(
                sns, TOPIC, upload, error_name=name, reason=reason, kept_at=f"{upload.bucket}/{upload.key}"
            )


def _process(upload: Upload, start: Place, budget: Budget) -> None:
    """Stores the lines of an upload from `start` on, as far as the budget goes; hands the rest on."""
    if budget.is_spent():
        _hand_on(upload, start)
        return
    request_id = budget.context.aws_request_id
    part = Part(start.part)
    upload_id = json.dumps(upload.id).encode()
    for line in lines(files.read(s3, upload, start.offset), start):
        if part.size >= PART_BYTES or part.lines >= PART_LINES:
            _finish(upload, part, request_id)
            budget.parts -= 1
            part = Part(part.number + 1)
            if budget.is_spent():
                _hand_on(upload, Place(line.number, line.offset, part.number))
                return
        part.size += line.length + 1
        part.lines += 1
        _take(upload, upload_id, line, part)
    _finish(upload, part, request_id)
    budget.parts -= 1


def _take(upload: Upload, upload_id: bytes, line: Line, part: Part) -> None:
    if line.content is None:
        key = f"dead-letters/{upload.run}/{line.number}"
        files.copy(s3, upload, line.offset, line.length, DEAD_LETTER_BUCKET, key)
        problem = transforms.Malformed("LineTooLong", f"{line.length} bytes, at most {MAX_LINE_BYTES}")
        part.letters.append(_letter(upload, line, problem, f"s3://{DEAD_LETTER_BUCKET}/{key}"))
        return
    if transforms.is_blank(line.content):
        return
    found = transforms.normalise(line.content)
    if isinstance(found, transforms.Malformed):
        part.letters.append(_letter(upload, line, found))
    else:
        part.documents.append(found.document(upload_id, line.number))


def _finish(upload: Upload, part: Part, request_id: str) -> None:
    """Sends the dead letters of a part, and stores its lines."""
    unsent = dead_letters.send(part.letters, failed_at=datetime.now(UTC).isoformat(), request_id=request_id)
    if alert_undelivered(sns, TOPIC, unsent, queue=dead_letters, request_id=request_id):
        raise UndeliveredError(f"part {part.number} of {upload.id}: {len(unsent)} lines")
    if part.documents:
        key = f"processed-logs/{upload.run}/{part.number:06d}.ndjson"
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"".join(part.documents), ContentType="application/x-ndjson")
    stored = len(part.documents)
    count_records(metrics, received=stored + len(part.letters), processed=stored, started=part.started)


def _letter(upload: Upload, line: Line, problem: transforms.Malformed, kept_at: str | None = None) -> DeadLetter:
    return DeadLetter(
        payload=line.content or b"",
        record_id=f"{upload.id}:{line.number}",
        error_name=problem.error,
        error_message=problem.message,
        stack="",
        attempts=1,
        shard_id=upload.id,
        sequence_number=str(line.number),
        partition_key=None,
        kept_at=kept_at,
        place={
            "bucket": upload.bucket,
            "key": upload.key,
            "versionId": upload.version_id,
            "line": line.number,
            "byteOffset": line.offset,
            "bytes": line.length,
        },
    )


def _hand_on(upload: Upload, start: Place) -> None:
    """Sends what is left of an upload to the queue, for another invocation."""
    item = {"key": quote_plus(upload.key), "versionId": upload.version_id}
    notification = {"s3": {"bucket": {"name": upload.bucket}, "object": item}}
    sqs.send_message(QueueUrl=QUEUE_URL, MessageBody=json.dumps({"Records": [notification], "resumeAt": start}))


def _soon_again(message: dict[str, Any]) -> None:
    """Makes a message visible after a few seconds: the queue's own time-out is as long as the largest upload takes."""
    delay_s = min(2 ** int(message["attributes"]["ApproximateReceiveCount"]), _LONGEST_DELAY_S)
    try:
        sqs.change_message_visibility(QueueUrl=QUEUE_URL, ReceiptHandle=message["receiptHandle"], VisibilityTimeout=delay_s)
    except Exception:  # it comes back in any case, later
        logger.exception("message not made visible", extra={"message_id": message["messageId"]})
