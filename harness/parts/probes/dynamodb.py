"""The items of a DynamoDB table."""

from __future__ import annotations

import time
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

    def doubts(self, context: Context) -> Iterator[str]:
        """Yields a reason where items will be removed by the table's Time to Live before long."""
        client = context.clients("dynamodb")
        ttl = client.describe_time_to_live(TableName=self.table).get("TimeToLiveDescription", {})
        if ttl.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
            return
        pages = client.get_paginator("scan").paginate(
            TableName=self.table,
            Select="COUNT",
            FilterExpression="#ttl < :end",
            ExpressionAttributeNames={"#ttl": ttl["AttributeName"]},
            ExpressionAttributeValues={":end": {"N": str(int(time.time() + context.kept_for_s))}},
            ConsistentRead=True,
        )
        count = sum(page["Count"] for page in pages)
        if count:
            yield f"{count:,} items of table {self.table} expire by {ttl['AttributeName']} sooner than kept_for_hours says"


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
