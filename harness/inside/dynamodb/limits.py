"""What DynamoDB refuses, and moto lets through.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html and the pages of the operations
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from moto.dynamodb.exceptions import DynamodbException, ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.parsing import partiql

from harness.inside.dynamodb.values import at_most, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ITEM_BYTES = 409_600
_MOST_WRITES, _MOST_STATEMENTS = 25, 25
_MAX_TRANSACTION_BYTES = 4 << 20
# SET a = :value and #a = :value, of an update expression.
_SET = re.compile(r"(?P<name>#?[\w-]+)\s*=\s*(?P<value>:\w+)\s*(?:,|$|remove\b|add\b|delete\b)", re.IGNORECASE)
_KEY_OF = json.JSONEncoder(sort_keys=True, default=repr).encode
_INSERT = re.compile(r"\s*insert\s+into\s+", re.IGNORECASE)


class DuplicateItemError(DynamodbException):  # type: ignore[misc]
    """PartiQL inserts an item whose key exists. BatchExecuteStatement answers with `name` as the code."""

    name = "DuplicateItem"

    def __init__(self) -> None:
        super().__init__("com.amazonaws.dynamodb.v20120810#DuplicateItemException", "Duplicate primary key exists in table")


def verify(operation: str, request: Any, backend: Any) -> None:
    """Raises CommonServiceException for what DynamoDB would not take. `backend` is moto's of the account and region."""
    for name, attributes in _written(operation, request):
        table = backend.tables.get(name.rpartition("/")[2])
        if table is not None:
            _verify_index_keys(table, attributes)
    if operation == "TransactWriteItems" and _size_of(request.get("TransactItems")) > _MAX_TRANSACTION_BYTES:
        raise refusal("Collection size of a transaction exceeds 4 MB")
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


def _written(operation: str, request: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the table and the attributes, as far as the request has them, of each item that it puts or updates."""
    if operation == "PutItem":
        yield request.get("TableName") or "", request.get("Item") or {}
    elif operation == "UpdateItem":
        yield request.get("TableName") or "", _set_by(request)
    elif operation == "BatchWriteItem":
        for name, writes in (request.get("RequestItems") or {}).items():
            for write in writes:
                yield name, (write.get("PutRequest") or {}).get("Item") or {}
    elif operation == "TransactWriteItems":
        for action in request.get("TransactItems") or ():
            put, update = action.get("Put") or {}, action.get("Update") or {}
            yield put.get("TableName") or update.get("TableName") or "", put.get("Item") or _set_by(update)


def _set_by(update: Any) -> dict[str, Any]:
    """Returns the attributes that an update expression sets to values of the request."""
    names, values = update.get("ExpressionAttributeNames") or {}, update.get("ExpressionAttributeValues") or {}
    found: dict[str, Any] = {}
    for match in _SET.finditer(update.get("UpdateExpression") or ""):
        found[str(names.get(match["name"], match["name"]))] = values.get(match["value"])
    return {name: value for name, value in found.items() if value}


def _verify_index_keys(table: Any, attributes: dict[str, Any]) -> None:
    for index in (*table.global_indexes, *table.indexes):
        types = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
        for key in index.schema_key_attrs:
            value = attributes.get(key)
            if not value or key in {table.hash_key_attr, table.range_key_attr}:
                continue
            kind, content = next(iter(value.items()))
            if kind != types[key]:
                raise refusal(
                    "One or more parameter values were invalid: "
                    f"Type mismatch for Index Key {key} Expected: {types[key]} Actual: {kind} IndexName: {index.name}"
                )
            if content in ("", b""):
                raise refusal(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue "
                    f"for a key attribute cannot contain an empty string value. IndexName: {index.name}, IndexKey: {key}"
                )


def _size_of(value: Any) -> int:
    """Returns about how many bytes the attribute values of a request have."""
    if isinstance(value, dict):
        return sum(len(name) + _size_of(inner) for name, inner in value.items())
    if isinstance(value, list):
        return sum(map(_size_of, value))
    return len(value.encode() if isinstance(value, str) else value) if isinstance(value, str | bytes) else 1


def _verify_batch(requests: dict[str, list[dict[str, Any]]], backend: Any) -> None:
    if sum(map(len, requests.values())) > _MOST_WRITES:
        raise refusal("Too many items requested for the BatchWriteItem call")
    for name, writes in requests.items():
        table = backend.tables.get(name.rpartition("/")[2])
        if table is None:
            continue
        keys = []
        for write in writes:
            _verify_write(table, write)
            item = (write.get("PutRequest") or {}).get("Item") or (write.get("DeleteRequest") or {}).get("Key") or {}
            keys.append((_key_of(item.get(table.hash_key_attr)), _key_of(item.get(table.range_key_attr))))
        if len(set(keys)) < len(keys):
            raise refusal("Provided list of item keys contains duplicates")


def _key_of(value: Any) -> object:
    """Returns what is the same for the same key attribute."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, content),) = value.items()
        if isinstance(content, str | bytes):
            return kind, content
    return _KEY_OF(value)


def _verify_write(table: Any, write: dict[str, Any]) -> None:
    """Moto finds out about one entry of a batch when it has written those before it."""
    if bool(write.get("PutRequest")) == bool(write.get("DeleteRequest")):
        raise refusal("Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest")
    types = {one["AttributeName"]: one["AttributeType"] for one in table.attr}
    keys = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    if write.get("DeleteRequest"):
        key = write["DeleteRequest"].get("Key") or {}
        if set(key) != set(keys) or any(set(key[name]) != {types[name]} for name in keys):
            raise refusal("The provided key element does not match the schema")
        return
    item = (write.get("PutRequest") or {}).get("Item") or {}
    for name in keys:
        if name not in item:
            raise refusal(f"One or more parameter values were invalid: Missing the key {name} in the item")
        if set(item[name]) != {types[name]}:
            (kind,) = item[name]
            raise refusal(
                f"One or more parameter values were invalid: Type mismatch for key {name} expected: {types[name]} actual: {kind}"
            )
    if at_most(item) <= MAX_ITEM_BYTES:
        return
    try:
        Item(DynamoType(item[keys[0]]), DynamoType(item[keys[1]]) if keys[1:] else None, item)
    except ItemSizeTooLarge as error:
        raise refusal("Item size has exceeded the maximum allowed size") from error
