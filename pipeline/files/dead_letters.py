"""Records that cannot be stored: to the dead-letter queue, and where that refuses them, to the alert topic."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from pipeline.delivery.alerts import alert_undelivered
from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.files.failed_rows import FailedRow


class DeadLettersUndeliveredError(Exception):
    """Neither the queue nor the alert topic took them."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The queue, and the topic behind it."""

    queue: DeadLetterQueue
    sns: Any
    topic_arn: str

    @classmethod
    def of_environment(cls) -> DeadLetters:
        """From DEAD_LETTER_QUEUE_URL, DEAD_LETTER_BUCKET, ALERT_TOPIC_ARN and Lambda's own variables."""
        config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=10)
        sqs, s3, sns = (boto3.client(name, config=config) for name in ("sqs", "s3", "sns"))
        url, bucket = os.environ["DEAD_LETTER_QUEUE_URL"], os.environ["DEAD_LETTER_BUCKET"]
        queue = DeadLetterQueue(sqs, s3, url, bucket, os.environ["AWS_LAMBDA_FUNCTION_NAME"])
        return cls(queue, sns, os.environ["ALERT_TOPIC_ARN"])

    def send(self, upload_id: str, rows: Sequence[FailedRow], context: Any) -> None:
        """Raises DeadLettersUndeliveredError where some were taken by neither."""
        if not rows:
            return
        letters = [_letter(upload_id, row) for row in rows]
        unsent = self.queue.send(letters, failed_at=datetime.now(UTC).isoformat(), request_id=context.aws_request_id)
        untold = alert_undelivered(self.sns, self.topic_arn, unsent, queue=self.queue, request_id=context.aws_request_id)
        if untold:
            message = f"{len(untold)} records of {upload_id} could be told nobody"
            raise DeadLettersUndeliveredError(message)


def _letter(upload_id: str, row: FailedRow) -> DeadLetter:
    name, _, details = row.problem.partition(": ")
    return DeadLetter(
        payload=row.raw,
        record_id=None,
        error_name=name,
        error_message=details,
        stack="",
        attempts=1,
        shard_id=upload_id,
        sequence_number=str(row.line),
        partition_key=None,
    )
