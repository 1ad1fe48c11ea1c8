"""A batch that cannot be stored: those of its records that are in no table go to the dead-letter queue, with what went wrong."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.delivery.reads import read_items
from pipeline.files.dead_letters import DeadLetters
from pipeline.files.failed_files import explained
from pipeline.files.failed_rows import FailedRow
from pipeline.files.work import Work
from pipeline.records import items, transforms
from pipeline.records.batches import give_up
from pipeline.records.transforms import Valid

_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20)
s3 = boto3.client("s3", config=_config)
dynamodb = boto3.client("dynamodb", config=_config)
dead_letters = DeadLetters.of_environment()

TABLE = os.environ["RECORDS_TABLE"]


def handler(state: dict[str, Any], context: Any) -> dict[str, Any]:
    """`error` is what Step Functions caught: {"Error", "Cause"}. Returns {"givenUp": …}."""
    work = Work.of(state)
    # From here on nothing of it is stored: what is told to be given up stays so, however often the batch is tried again.
    give_up(s3, work, state["batch"])
    body = s3.get_object(Bucket=work.upload.bucket, Key=work.part("valid", state["batch"]))["Body"].read()
    records = [Valid(*record) for record in transforms.load(body)]
    name, reason = explained(state["error"])
    stored = read_items(dynamodb, TABLE, [items.key(record) for record in records], consistent=True)
    left = items.missing(records, stored, work.upload.id)
    dead_letters.send(work.upload.id, [FailedRow(r.position, r.raw.encode(), f"{name}: {reason}") for r in left], context)
    return {"givenUp": len(left)}
