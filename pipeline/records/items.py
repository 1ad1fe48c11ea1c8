"""The table's items: a record as DynamoDB has it, and which element of which upload it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from pipeline.records import transforms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.records.transforms import Valid

OWN = ("upload", "line")
"""The attributes that say whose an item is."""

_serializer = TypeSerializer()

Item = dict[str, Any]


def item(record: Valid, upload_id: str) -> Item:
    """Returns what is stored of an element of this upload."""
    document = {**transforms.transform(record), "upload": upload_id, "line": record.position}
    return {name: _serializer.serialize(value) for name, value in document.items()}


def key(record: Valid) -> Item:
    """Returns what identifies the record's item in the table."""
    return {"id": {"S": transforms.key(record)}}


def missing(records: Iterable[Valid], stored: Iterable[Item], upload_id: str) -> list[Valid]:
    """Returns the records of this upload that are not among the stored items."""
    there = {int(found["line"]["N"]) for found in stored if found["upload"]["S"] == upload_id}
    return [record for record in records if record.position not in there]
