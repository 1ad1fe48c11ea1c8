"""Writes that must not overwrite what somebody else has written: in transactions, so that a batch costs one request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipeline.delivery.retry import ATTEMPTS, FIRST_DELAY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# TransactWriteItems: 100 items, and 4 MiB for all of them together.
ITEMS_PER_TRANSACTION = 100

Item = dict[str, Any]


class WritesRefusedError(Exception):
    """The table did not take all items, for reasons that have nothing to do with what is there."""


def put_new(
    dynamodb: Any, table: str, items: Sequence[Item], own: Sequence[str], *, sleep: Callable[[float], None] = time.sleep
) -> list[Item]:
    """Puts the items (no two with one key) where nothing is yet, or what is there has the same values under `own`: the names of
    attributes that say whose an item is, so that a repeated write is not refused. Returns those that were refused: another has their key.

    Raises WritesRefusedError where the table does not take them for another reason, after retries."""
    refused: list[Item] = []
    for start in range(0, len(items), ITEMS_PER_TRANSACTION):
        left = list(items[start : start + ITEMS_PER_TRANSACTION])
        delays = iter([FIRST_DELAY_S * 2**attempt for attempt in range(ATTEMPTS)])
        while left:
            try:
                dynamodb.transact_write_items(TransactItems=[_put(table, item, own) for item in left])
                break
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
            taken = [item for item, code in zip(left, codes, strict=True) if code == "ConditionalCheckFailed"]
            if taken:
                refused += taken
                left = [item for item in left if item not in taken]
                continue
            delay_s = next(delays, None)
            if delay_s is None:
                message = f"{len(left)} items could not be written to {table}: {', '.join(sorted(set(codes)))}"
                raise WritesRefusedError(message)
            sleep(delay_s)
    return refused


def _put(table: str, item: Item, own: Sequence[str]) -> Item:
    names = {f"#{number}": name for number, name in enumerate(own)}
    same = " AND ".join(f"#{number} = :{number}" for number in range(len(own)))
    return {
        "Put": {
            "TableName": table,
            "Item": item,
            # An item that is not there has none of its attributes.
            "ConditionExpression": f"attribute_not_exists(#0) OR ({same})",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {f":{number}": item[name] for number, name in enumerate(own)},
        }
    }
