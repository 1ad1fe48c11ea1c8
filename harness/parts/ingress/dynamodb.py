"""PutItem into a table.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_core import from_json

from harness.accounting.record import Answer, Record, Status, item_put
from harness.parts.batching import BatchSender, Limits, Result
from harness.parts.ports import Context, Ingress

if TYPE_CHECKING:
    from collections.abc import Sequence

# PutItem takes one item, of 400 KB at most.
LIMITS = Limits(records=1, batch_bytes=400 * 1024, record_bytes=400 * 1024)


class DynamoDb(Ingress):
    """Puts each record into `table` as an item; the payload must be a JSON object with the table's key."""

    shareable: ClassVar[bool] = True

    table: str

    def open(self, context: Context) -> BatchSender:
        """Returns the sender."""
        client = context.clients("dynamodb", retries=False)

        def put(records: Sequence[Record], offered_at_ms: int) -> list[Result]:
            try:
                item = _item(records[0])
            except (ValueError, AttributeError) as error:
                return [Answer(Status.REJECTED, offered_at_ms, detail=f"not a JSON object, so it is no item: {error}")]
            client.put_item(TableName=self.table, Item=item)
            return [Answer(Status.ACKED, offered_at_ms)]

        # A record that is no item is rejected, and put nowhere.
        return BatchSender(put, LIMITS, lambda record: len(record.payload), lambda record: item_put(self.table, _item(record)))


def _item(record: Record) -> dict[str, Any]:
    return {name: typed(value) for name, value in from_json(record.payload).items()}


def typed(value: Any) -> dict[str, Any]:
    """Returns a JSON value as DynamoDB writes it: "x" -> {"S": "x"}."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float() | Decimal():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case list():
            return {"L": [typed(item) for item in value]}
        case _:
            return {"M": {name: typed(item) for name, item in value.items()}}
