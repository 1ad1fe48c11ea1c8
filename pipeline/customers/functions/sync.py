"""A schedule -> the CRM's paged API -> DynamoDB: fetches what is new, and keeps the cursor of the next page.

The order of the steps is what keeps a run that stops half way from losing anything: the customers of a page are stored, the others are dead-lettered,
and only then the cursor of the next page is kept. Whatever ends before leads to the same page once more; the customers of that page are then already stored.
The function reads which versions the table has, and writes the newer ones. Nothing else writes there, as one run at a time is allowed (the
function's reserved concurrency).
"""

from __future__ import annotations

import os
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import urllib3
from aws_lambda_powertools import Logger
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.config import Config

from pipeline.customers import transforms
from pipeline.delivery.alerts import alert_undelivered
from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue
from pipeline.delivery.metrics import count_records, metrics_of
from pipeline.delivery.reads import read_items
from pipeline.delivery.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Sequence

FUNCTION = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
URL = os.environ["API_URL"]
API_KEY_ARN = os.environ["API_KEY_ARN"]
CUSTOMERS = os.environ["CUSTOMERS_TABLE"]
CURSORS = os.environ["CURSORS_TABLE"]
TOPIC = os.environ["ALERT_TOPIC_ARN"]
PAGE_SIZE = int(os.environ["PAGE_SIZE"])
_SOURCE = "customers"
_ATTEMPTS = 6
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 20.0
_SPARE_MS = 60_000
_ITEMS_PER_WRITE = 25
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})

logger = Logger(service="customers-sync")
metrics = metrics_of("Customers", "customers-sync")
_config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=2, read_timeout=10)
dynamodb, s3, sns, sqs, secrets = (
    boto3.client(name, config=_config) for name in ("dynamodb", "s3", "sns", "sqs", "secretsmanager")
)
http = urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=2, read=5))
dead_letters = DeadLetterQueue(sqs, s3, os.environ["DEAD_LETTER_QUEUE_URL"], os.environ["DEAD_LETTER_BUCKET"], FUNCTION)
_written, _read = TypeSerializer().serialize, TypeDeserializer().deserialize


class ApiFailedError(Exception):
    """The API gave no page after several attempts, or refuses the key."""


class CursorExpiredError(Exception):
    """The API no longer knows the cursor: only from the first page on is everything there."""


class NotKeptError(Exception):
    """Some items of a page found no place: the page is to be fetched again."""


@metrics.log_metrics
def handler(_event: dict[str, Any], context: Any) -> dict[str, int]:
    """Returns how many pages were taken. The next run fetches the others."""
    cursor, key, pages, restarted = _cursor(), _key(), 0, False
    while context.get_remaining_time_in_millis() > _SPARE_MS:
        try:
            page, key = _page(cursor, key)
        except CursorExpiredError:
            if restarted:
                raise
            # The function fetches every page again. It writes a customer only where the API has a newer version.
            cursor, restarted = "", True
            continue
        _take(page.items, context.aws_request_id)
        if page.cursor != cursor:
            _keep(page.cursor)
        cursor, pages = page.cursor, pages + 1
        if not page.more:
            break
    return {"pages": pages}


def _page(cursor: str, key: str) -> tuple[transforms.Page, str]:
    """Returns the page, and the key that the API took for it. Raises ApiFailedError or CursorExpiredError."""
    problem, wait_s = "", _FIRST_WAIT_S
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(min(wait_s, _LONGEST_WAIT_S))
            wait_s *= 2
        try:
            fields = {"limit": str(PAGE_SIZE), **({"cursor": cursor} if cursor else {})}
            answer = http.request("GET", URL, fields=fields, headers={"x-api-key": key})
        except urllib3.exceptions.HTTPError as error:
            problem = str(error)
            continue
        if answer.status == 200:
            try:
                return transforms.page(answer.data.decode()), key
            except ValueError as error:
                problem = f"no page: {error}"
                continue
        problem = f"status {answer.status}"
        if answer.status == 410:
            raise CursorExpiredError(cursor)
        if answer.status == 401:
            # It may have been changed since it was read.
            key = _key()
        elif answer.status not in _TRY_AGAIN:
            break
        wait_s = max(wait_s, _seconds(answer.headers.get("Retry-After", "")))
    raise ApiFailedError(problem)


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def _take(items: Sequence[str], request_id: str) -> None:
    started = time.perf_counter()
    found = [(text, transforms.customer(text)) for text in items]
    customers = transforms.newest(each for _, each in found if isinstance(each, transforms.Customer))
    there = read_items(dynamodb, CUSTOMERS, [{"id": {"S": name}} for name in customers], consistent=True)
    versions = {item["id"]["S"]: datetime.fromisoformat(_read(item["updated_at"])) for item in there}
    newer = [each for name, each in customers.items() if name not in versions or each.version > versions[name]]
    for start in range(0, len(newer), _ITEMS_PER_WRITE):
        left = until_done([_item(each) for each in newer[start : start + _ITEMS_PER_WRITE]], _write)
        if left:
            message = f"{len(left)} customers were not stored"
            raise NotKeptError(message)
    rejected = [(text, each) for text, each in found if isinstance(each, transforms.Rejected)]
    _dead_letter(rejected, request_id)
    count_records(metrics, received=len(found), processed=len(found) - len(rejected), started=started)


def _item(of: transforms.Customer) -> dict[str, Any]:
    return {name: _written(value) for name, value in of.document.items()}


def _write(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = dynamodb.batch_write_item(RequestItems={CUSTOMERS: [{"PutRequest": {"Item": item}} for item in items]})
    return [request["PutRequest"]["Item"] for request in answer.get("UnprocessedItems", {}).get(CUSTOMERS, [])]


def _dead_letter(rejected: Sequence[tuple[str, transforms.Rejected]], request_id: str) -> None:
    letters = [
        DeadLetter(
            payload=text.encode(),
            record_id=why.customer_id or None,
            error_name=why.error,
            error_message=why.message,
            stack="".join(traceback.format_stack(limit=3)),
            attempts=1,
            shard_id=None,
            sequence_number=None,
            partition_key=None,
        )
        for text, why in rejected
    ]
    failed_at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    unsent = dead_letters.send(letters, failed_at=failed_at, request_id=request_id)
    if alert_undelivered(sns, TOPIC, unsent, queue=dead_letters, request_id=request_id):
        message = f"{len(unsent)} items could not be dead-lettered"
        raise NotKeptError(message)


def _key() -> str:
    key: str = secrets.get_secret_value(SecretId=API_KEY_ARN)["SecretString"]
    return key


def _cursor() -> str:
    """Returns the cursor of the next page, empty where there is none yet."""
    item = dynamodb.get_item(TableName=CURSORS, Key={"source": {"S": _SOURCE}}, ConsistentRead=True).get("Item")
    return str(item["cursor"]["S"]) if item else ""


def _keep(cursor: str) -> None:
    dynamodb.put_item(TableName=CURSORS, Item={"source": {"S": _SOURCE}, "cursor": {"S": cursor}})
