"""A file that cannot be processed: set aside under error/, and an alert that names it and the reason."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.files import failed_files
from pipeline.orders.work import Work

_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20)
s3 = boto3.client("s3", config=_config)
sns = boto3.client("sns", config=_config)

ALERT_TOPIC = os.environ["ALERT_TOPIC_ARN"]


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """`error` is what Step Functions caught: {"Error", "Cause"}. Returns {"keptAt": key}."""
    work, error = Work.of(state), state["error"]
    kept_at = f"error/{work.archived}"
    # A merge whose answer was lost may have written it: a failed file has no output.
    s3.delete_object(Bucket=work.upload.bucket, Key=work.output)
    failed_files.move(s3, work.upload, kept_at)
    name, reason = failed_files.explained(error)
    failed_files.alert_failed_file(sns, ALERT_TOPIC, work.upload, error_name=name, reason=reason, kept_at=kept_at)
    return {"keptAt": kept_at}
