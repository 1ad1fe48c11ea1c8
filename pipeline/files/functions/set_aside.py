"""A file that cannot be processed: set aside under error/, and an alert that names it and the reason."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.files import failed_files
from pipeline.files.work import Work

_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20)
s3 = boto3.client("s3", config=_config)
sns = boto3.client("sns", config=_config)

ALERT_TOPIC = os.environ["ALERT_TOPIC_ARN"]


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """`error` is what Step Functions caught: {"Error", "Cause"}. Returns {"keptAt": key}."""
    return {"keptAt": failed_files.set_aside(s3, sns, ALERT_TOPIC, Work.of(state), state["error"])}
