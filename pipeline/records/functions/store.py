"""Last state of a batch: writes its items where no other record has the id; records whose id another has are dead letters."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.delivery.conditional import put_new
from pipeline.files.dead_letters import DeadLetters
from pipeline.files.failed_rows import FailedRow
from pipeline.files.work import Work
from pipeline.records import items, transforms
from pipeline.records.batches import given_up
from pipeline.records.transforms import Valid

_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20)
s3 = boto3.client("s3", config=_config)
dynamodb = boto3.client("dynamodb", config=_config)
dead_letters = DeadLetters.of_environment()

TABLE = os.environ["RECORDS_TABLE"]


class BatchGivenUpError(Exception):
    """What is in the queue must not be stored, too."""


def handler(state: dict[str, Any], context: Any) -> dict[str, Any]:
    """Returns how many were stored, and how many refused: {"stored", "refused"}."""
    work, batch = Work.of(state), state["batch"]
    if given_up(s3, work, batch):
        message = f"batch {batch} of {work.upload.id} has been given up: some of it may be in the dead-letter queue"
        raise BatchGivenUpError(message)
    new = _load(work, "transformed", batch)
    refused = {int(item["line"]["N"]) for item in put_new(dynamodb, TABLE, new, items.OWN)}
    if refused:
        records = [Valid(*record) for record in _load(work, "valid", batch)]
        rows = [FailedRow(r.position, r.raw.encode(), "DuplicateId: another file has it") for r in records if r.position in refused]
        dead_letters.send(work.upload.id, rows, context)
    return {"stored": len(new) - len(refused), "refused": len(refused)}


def _load(work: Work, step: str, batch: int) -> list[Any]:
    return transforms.load(s3.get_object(Bucket=work.upload.bucket, Key=work.part(step, batch))["Body"].read())
