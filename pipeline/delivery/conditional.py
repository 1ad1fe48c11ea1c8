"""Writes that must not overwrite another writer's item."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONCURRENT_WRITES = 8

Item = dict[str, Any]


def put_new(dynamodb: Any, table: str, items: Sequence[Item], own: Sequence[str]) -> list[Item]:
    """Puts the items (no two with one key) where nothing is yet, or what is there has the same values under `own`: the names of
    attributes that say whose an item is, so that a repeated write is not refused. Returns those that were refused: another has their key.

    Raises what the SDK raises after its retries; some of the items may then have been written, and the caller writes all of them again."""

    def put(item: Item) -> bool:
        same = " AND ".join(f"#{number} = :{number}" for number in range(len(own)))
        try:
            dynamodb.put_item(
                TableName=table,
                Item=item,
                # An item that is not there has none of its attributes.
                ConditionExpression=f"attribute_not_exists(#0) OR ({same})",
                ExpressionAttributeNames={f"#{number}": name for number, name in enumerate(own)},
                ExpressionAttributeValues={f":{number}": item[name] for number, name in enumerate(own)},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return False
        return True

    with ThreadPoolExecutor(CONCURRENT_WRITES, thread_name_prefix="put") as pool:
        # All of them are tried, whatever becomes of one.
        written = [pool.submit(put, item) for item in items]
    return [item for item, done in zip(items, written, strict=True) if not done.result()]
