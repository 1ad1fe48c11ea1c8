"""What DynamoDB refuses, and moto lets through.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html and the pages of the operations
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.dynamodb.exceptions import DynamodbException
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing import partiql

from harness.inside.dynamodb.values import refusal

MAX_ITEM_BYTES = 409_600
_MOST_WRITES, _MOST_STATEMENTS = 25, 25
_INSERT = re.compile(r"\s*insert\s+into\s+", re.IGNORECASE)


class DuplicateItemError(DynamodbException):  # type: ignore[misc]
    """PartiQL inserts an item whose key exists. BatchExecuteStatement answers with `name` as the code."""

    name = "DuplicateItem"

    def __init__(self) -> None:
        super().__init__("com.amazonaws.dynamodb.v20120810#DuplicateItemException", "Duplicate primary key exists in table")


def verify(operation: str, request: Any, backend: Any) -> None:
    """Raises CommonServiceException for what DynamoDB would not take. `backend` is moto's of the account and region."""
    if operation == "BatchWriteItem":
        _verify_batch(request.get("RequestItems") or {}, backend)
    elif operation == "BatchExecuteStatement" and len(request.get("Statements") or ()) > _MOST_STATEMENTS:
        raise refusal(f"Member must have length less than or equal to {_MOST_STATEMENTS}")


def verify_insert(backend: Any, statement: str, parameters: Any) -> None:
    """Raises DuplicateItemError where a PartiQL statement inserts an item whose key is there."""
    if not _INSERT.match(statement):
        return
    _, updates = partiql.query(statement, {name: [] for name in backend.tables}, parameters)
    for name, changes in updates.items():
        table = backend.tables[name]
        for _, after in changes:
            hash_key = DynamoType(after[table.hash_key_attr])
            range_key = DynamoType(after[table.range_key_attr]) if table.range_key_attr else None
            if table.get_item(hash_key, range_key) is not None:
                raise DuplicateItemError


def _verify_batch(requests: dict[str, list[dict[str, Any]]], backend: Any) -> None:
    if sum(map(len, requests.values())) > _MOST_WRITES:
        raise refusal("Too many items requested for the BatchWriteItem call")
    for name, writes in requests.items():
        table = backend.tables.get(name.rpartition("/")[2])
        if table is None:
            continue
        keys = []
        for write in writes:
            item = (write.get("PutRequest") or {}).get("Item") or (write.get("DeleteRequest") or {}).get("Key") or {}
            keys.append(json.dumps([item.get(table.hash_key_attr), item.get(table.range_key_attr)], sort_keys=True, default=repr))
        if len(set(keys)) < len(keys):
            raise refusal("Provided list of item keys contains duplicates")
