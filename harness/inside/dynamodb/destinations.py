"""Kinesis Data Streams for DynamoDB: a table sends every change of an item to its destinations, which are Kinesis streams.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to

from harness.inside import forgotten
from harness.inside.gauges.deliveries import DELIVERIES

if TYPE_CHECKING:
    from collections.abc import Mapping

_MICROSECOND = "MICROSECOND"
_FIRST_RETRY_S, _LAST_RETRY_S = 0.1, 5.0

_senders: dict[str, ThreadPoolExecutor] = {}
_senders_lock = threading.Lock()


def has_any(table: Any) -> bool:
    """Returns whether the table has an active destination."""
    return any(precision is not None for precision in getattr(table, "kinesis_destinations", {}).values())


def send(account: str, table: Any, name: str, changed: Mapping[str, Any]) -> None:
    """Sends a change to the table's destinations, in the order of the changes. `changed` has Keys, and the images."""
    now_s = time.time()
    for arn, precision in list(getattr(table, "kinesis_destinations", {}).items()):
        if precision is None:
            continue
        record = {
            "awsRegion": table.region_name,
            "eventID": str(uuid4()),
            "eventName": name,
            "userIdentity": None,
            "recordFormat": "application/json",
            "tableName": table.name,
            "dynamodb": {
                "ApproximateCreationDateTime": int(now_s * (1_000_000 if precision == _MICROSECOND else 1000)),
                **changed,
                "SizeBytes": len(json.dumps(changed, default=str)),
                **({"ApproximateCreationDateTimePrecision": precision} if precision == _MICROSECOND else {}),
            },
            "eventSource": "aws:dynamodb",
        }
        key = hashlib.md5(json.dumps(changed["Keys"], sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        DELIVERIES.enter(account)
        _sender(arn).submit(_put, account, arn, json.dumps(record).encode(), key)


@forgotten.with_account
def forget(account: str) -> None:
    """Ends the threads that send to the streams of an account."""
    with _senders_lock:
        for arn in [arn for arn in _senders if arn.split(":")[4] == account]:
            _senders.pop(arn).shutdown(wait=False, cancel_futures=False)


def _sender(arn: str) -> ThreadPoolExecutor:
    with _senders_lock:
        return _senders.setdefault(arn, ThreadPoolExecutor(max_workers=1, thread_name_prefix="kinesis-destination"))


def _put(account: str, arn: str, data: bytes, key: str) -> None:
    """Puts the record again and again until the stream takes it or is deleted. AWS gives up after a day."""
    wait_s = _FIRST_RETRY_S
    try:
        while True:
            try:
                kinesis_of(arn).put_record(StreamARN=arn, Data=data, PartitionKey=key)
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    return
            except BotoCoreError:
                # The answer was lost. The stream may have the record already: a consumer must expect it twice, as on AWS.
                pass
            else:
                return
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LAST_RETRY_S)
    finally:
        DELIVERIES.leave(account)


def kinesis_of(arn: str) -> Any:
    """Returns a client of Kinesis for a stream's account and region."""
    parts = arn.split(":")
    return connect_to(aws_access_key_id=parts[4], region_name=parts[3]).kinesis
