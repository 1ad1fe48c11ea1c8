"""Second state: tells prices from rows that are none. Those go to the dead-letter queue."""

from __future__ import annotations

import os
import time
from typing import Any

import boto3
from botocore.config import Config

from pipeline.approvals import transforms
from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.files.dead_letters import DeadLetters
from pipeline.files.rows import lines, rows
from pipeline.files.work import Work

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))
dead_letters = DeadLetters.of_environment()

TIMEOUT_S = int(os.environ["APPROVAL_SECONDS"])
# Step Functions refuses a heartbeat that is not shorter than the time-out.
HEARTBEAT_S = min(int(os.environ["ATTENTION_SECONDS"]), TIMEOUT_S - 1)

metrics = metrics_of("Approvals", "approvals-validate")


@metrics.log_metrics
def handler(state: dict[str, Any], context: Any) -> dict[str, Any]:
    """Returns how many rows are prices and how many are not, and how long a person may take: {"valid", "failed", "timeout", "heartbeat"}."""
    started = time.perf_counter()
    work = Work.of(state)
    bucket = work.upload.bucket
    of_lines = lines([s3.get_object(Bucket=bucket, Key=work.part("extracted", 1))["Body"].read()])
    next(of_lines)
    good, bad = transforms.sort_out(rows(of_lines, len(transforms.COLUMNS), first_line=2))
    dead_letters.send(work.upload.id, bad, context)
    s3.put_object(Bucket=bucket, Key=work.part("valid", 1), Body=transforms.dump(good))
    count_records(metrics, received=len(good) + len(bad), processed=len(good), started=started)
    return {"valid": len(good), "failed": len(bad), "timeout": TIMEOUT_S, "heartbeat": HEARTBEAT_S}
