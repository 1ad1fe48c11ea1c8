"""Reads of many items, whose answer may say that a part of them was not read: that part is asked for again, with backoff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.delivery.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Sequence

# BatchGetItem: 100 items.
ITEMS_PER_READ = 100

Item = dict[str, Any]


class ItemsUnreadError(Exception):
    """The table did not answer for all keys."""


def read_items(dynamodb: Any, table: str, keys: Sequence[Item], *, consistent: bool) -> list[Item]:
    """Returns the existing items with these keys (no key twice), in no order. Raises ItemsUnreadError where the table does not
    answer for all: it cannot be known whether an item exists whose key was not read."""
    found: list[Item] = []

    def read(some: Sequence[Item]) -> list[Item]:
        answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": list(some), "ConsistentRead": consistent}})
        found.extend(answer["Responses"].get(table, []))
        left: list[Item] = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        return left

    for start in range(0, len(keys), ITEMS_PER_READ):
        left = until_done(keys[start : start + ITEMS_PER_READ], read)
        if left:
            message = f"{len(left)} items of {table} could not be read"
            raise ItemsUnreadError(message)
    return found
