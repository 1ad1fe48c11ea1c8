"""First state of a batch: makes the items of its records."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from pipeline.files.work import Work
from pipeline.records import items, transforms
from pipeline.records.transforms import Valid

s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20))


def handler(state: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Returns how many there are: {"transformed": …}."""
    work, batch = Work.of(state), state["batch"]
    records = transforms.load(s3.get_object(Bucket=work.upload.bucket, Key=work.part("valid", batch))["Body"].read())
    made = [items.item(Valid(*record), work.upload.id) for record in records]
    s3.put_object(Bucket=work.upload.bucket, Key=work.part("transformed", batch), Body=transforms.dump(made))
    return {"transformed": len(made)}
