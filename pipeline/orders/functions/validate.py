"""First state of a chunk: tells the valid rows from the others, which go to the error table."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config

from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.files.failed_rows import keep_failed_rows
from pipeline.files.work import Work
from pipeline.orders import transforms

_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20)
s3 = boto3.client("s3", config=_config)
dynamodb = boto3.client("dynamodb", config=_config)

DELIMITER = os.environ["DELIMITER"]
ERROR_TABLE = os.environ["ERROR_TABLE"]

metrics = metrics_of("Orders", "orders-validate")


@metrics.log_metrics
def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns how many rows there were: {"valid": …, "failed": …}."""
    started = time.perf_counter()
    work, chunk = Work.of(state), state["chunk"]
    answer = s3.get_object(Bucket=work.upload.bucket, Key=work.part("split", chunk))
    body: bytes = answer["Body"].read()
    good, bad = transforms.parse(body.removesuffix(b"\n").split(b"\n"), DELIMITER, int(answer["Metadata"]["first-line"]))
    keep_failed_rows(dynamodb, ERROR_TABLE, work.upload.id, bad, failed_at=datetime.now(UTC).isoformat())
    s3.put_object(Bucket=work.upload.bucket, Key=work.part("valid", chunk), Body=transforms.dump(good))
    count_records(metrics, received=len(good) + len(bad), processed=len(good), started=started)
    return {"valid": len(good), "failed": len(bad)}
