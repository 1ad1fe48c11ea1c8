"""S3 -> Step Functions: one execution per upload, however often S3 tells of it."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.files.uploads import uploads

logger = Logger(service="start")
stepfunctions = boto3.client("stepfunctions", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=10))

STATE_MACHINE = os.environ["STATE_MACHINE_ARN"]


def handler(event: dict[str, Any], _context: Any) -> None:
    """An S3 notification. Raises where an execution could not be started: Lambda then tries again, and tells the alert topic at last."""
    for upload in uploads(event):
        try:
            state = json.dumps(upload.as_state)
            stepfunctions.start_execution(stateMachineArn=STATE_MACHINE, name=upload.run, input=state)
        except stepfunctions.exceptions.ExecutionAlreadyExists:
            logger.info("told again", extra={"upload": upload.id})
