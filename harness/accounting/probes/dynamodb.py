"""A DynamoDB table whose items are the stored records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from harness.accounting.record import Observation, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients


@dataclass(frozen=True, slots=True)
class DynamoDbProbe:
    """`id_fields` name the attributes that make a record's id, joined by a slash. The attributes `upload` (key@version) and `line`, where an
    item has them, say exactly which row it is."""

    clients: Clients
    table: str
    id_fields: tuple[str, ...]

    def observe(self) -> Iterator[Observation]:
        """One observation per item; one without an id is seen without an identity. Numbers are told as text: they have no other form."""
        for page in self.clients("dynamodb").get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            for item in page["Items"]:
                values = {name: _plain(value) for name, value in item.items()}
                known = all(name in values for name in self.id_fields)
                upload, line = values.get("upload"), values.get("line")
                exact = isinstance(upload, str) and isinstance(line, str)
                yield Observation(
                    Outcome.STORED,
                    f"table {self.table}",
                    "/".join(str(values[name]) for name in self.id_fields) if known else None,
                    upload if exact else None,
                    line if exact else None,
                    content=to_json(values),
                )


def _plain(value: dict[str, Any]) -> Any:
    """The value of an attribute, without its type: {"S": "x"} -> "x"."""
    (kind, plain), *_ = value.items()
    match kind:
        case "M":
            return {name: _plain(item) for name, item in plain.items()}
        case "L":
            return [_plain(item) for item in plain]
        case "NULL":
            return None
        case "B" | "BS":
            return str(plain)
        case _:
            return plain
