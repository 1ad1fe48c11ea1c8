"""Loads an approved list into the lake: one object per upload, with all that was approved, also prices that the table has from another list."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config

from pipeline.approvals import transforms
from pipeline.files.work import Work

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns {"key": …}. Again, it writes the same object."""
    work = Work.of(state)
    bucket, key = work.upload.bucket, f"prices/{work.upload.run}.ndjson"
    prices = transforms.load(s3.get_object(Bucket=bucket, Key=work.part("valid", 1))["Body"].read())
    body = b"".join(json.dumps(price.document(work.upload.id)).encode() + b"\n" for price in prices)
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/x-ndjson")
    return {"key": key}
