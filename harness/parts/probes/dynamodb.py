"""The items of a DynamoDB table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.accounting.record import item_put
from harness.parts.ports import Context, Probe
from harness.parts.reading import Reader, Reading, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.accounting.record import Observation


class DynamoDb(Reading, Probe):
    """Reads all items of `table`. Numbers are read as text, since DynamoDB keeps more digits than JSON readers do."""

    table: str

    def open(self, context: Context) -> Iterator[Observation]:
        """Yields the sightings of all items. An item without an id is seen without an identity."""
        reader = Reader(self, context.clients)
        place = f"table {self.table}"
        for page in context.clients("dynamodb").get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            for item in page["Items"]:
                document = {name: plain(value) for name, value in item.items()}
                yield from reader.sightings(Seen(document, place, {}, put_at=item_put(self.table, item)))


def plain(value: dict[str, Any]) -> Any:
    """Returns the value of an attribute without its type: {"S": "x"} -> "x"."""
    (kind, found), *_ = value.items()
    match kind:
        case "M":
            return {name: plain(item) for name, item in found.items()}
        case "L":
            return [plain(item) for item in found]
        case "NULL":
            return None
        case _:
            return found
