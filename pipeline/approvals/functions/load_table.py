"""Loads an approved list into the table, by conditional writes; rows whose key another list has are dead letters."""

from __future__ import annotations

import os
from typing import Any

import boto3
from botocore.config import Config

from pipeline.approvals import transforms
from pipeline.delivery.conditional import put_new
from pipeline.files.dead_letters import DeadLetters
from pipeline.files.failed_rows import FailedRow
from pipeline.files.work import Work

_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, read_timeout=20)
s3 = boto3.client("s3", config=_config)
dynamodb = boto3.client("dynamodb", config=_config)
dead_letters = DeadLetters.of_environment()

TABLE = os.environ["PRICES_TABLE"]


def handler(state: dict[str, Any], context: Any) -> dict[str, Any]:
    """Returns {"stored", "refused"}."""
    work = Work.of(state)
    prices = transforms.load(s3.get_object(Bucket=work.upload.bucket, Key=work.part("valid", 1))["Body"].read())
    refused = {
        int(item["line"]["N"]) for item in put_new(dynamodb, TABLE, [p.item(work.upload.id) for p in prices], ("upload", "line"))
    }
    bad = [FailedRow(p.line, p.raw, "DuplicateKey: another list has it") for p in prices if p.line in refused]
    dead_letters.send(work.upload.id, bad, context)
    return {"stored": len(prices) - len(bad), "refused": len(bad)}
