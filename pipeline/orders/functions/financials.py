"""POST /financials: adds the financial data of a chunk's orders. Behind API Gateway, called by the chunk's state machine.

The body names the chunk, {"bucket", "key", "versionId", "chunk"}: rows travel by reference. Orders of which nothing is known go to the
error table. 200 {"enriched": …, "failed": …}; anything else is tried again by the state machine.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from pipeline.delivery.reads import ITEMS_PER_READ, read_items
from pipeline.files.failed_rows import keep_failed_rows
from pipeline.files.work import Work
from pipeline.orders import transforms

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONCURRENT_READS = 4
# API Gateway gives up after 29 seconds.
_config = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=8, max_pool_connections=_CONCURRENT_READS
)
s3 = boto3.client("s3", config=_config)
dynamodb = boto3.client("dynamodb", config=_config)
pool = ThreadPoolExecutor(_CONCURRENT_READS, thread_name_prefix="financials")

ERROR_TABLE = os.environ["ERROR_TABLE"]
FINANCIALS_TABLE = os.environ["FINANCIALS_TABLE"]


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers as an API Gateway proxy integration (REST, payload 1.0)."""
    state = json.loads(event["body"])
    work, chunk = Work.of(state), state["chunk"]
    orders = transforms.load(s3.get_object(Bucket=work.upload.bucket, Key=work.part("valid", chunk))["Body"].read())
    good, bad = transforms.enrich(orders, _financials([order.uuid for order in orders]))
    keep_failed_rows(dynamodb, ERROR_TABLE, work.upload.id, bad, failed_at=datetime.now(UTC).isoformat())
    s3.put_object(Bucket=work.upload.bucket, Key=work.part("enriched", chunk), Body=transforms.dump(good))
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"enriched": len(good), "failed": len(bad)}),
    }


def _financials(uuids: Sequence[str]) -> dict[str, dict[str, str]]:
    # A key may stand only once in a request.
    keys = list(dict.fromkeys(uuids))
    found: dict[str, dict[str, str]] = {}
    for some in pool.map(_read, (keys[start : start + ITEMS_PER_READ] for start in range(0, len(keys), ITEMS_PER_READ))):
        found |= some
    return found


def _read(uuids: Sequence[str]) -> dict[str, dict[str, str]]:
    items = read_items(dynamodb, FINANCIALS_TABLE, [{"uuid": {"S": uuid}} for uuid in uuids], consistent=False)
    # What has another type than text or number is missing, and told so.
    return {item["uuid"]["S"]: {name: text for name, value in item.items() if (text := _text(value)) is not None} for item in items}


def _text(value: dict[str, str]) -> str | None:
    return value.get("S", value.get("N"))
