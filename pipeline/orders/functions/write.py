"""Last state of a chunk: writes its orders as CSV."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.files.work import Work
from pipeline.orders import transforms

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))

DELIMITER = os.environ["DELIMITER"]


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns how many rows there are: {"written": …}."""
    work, chunk = Work.of(state), state["chunk"]
    orders = transforms.load(s3.get_object(Bucket=work.upload.bucket, Key=work.part("enriched", chunk))["Body"].read())
    body = transforms.to_csv((order.values for order in orders), DELIMITER)
    s3.put_object(Bucket=work.upload.bucket, Key=work.part("processed", chunk), Body=body, ContentType="text/csv")
    return {"written": len(orders)}
