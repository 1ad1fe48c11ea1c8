"""What a Query or Scan may ask for, and moto answers with something else.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.utilities import dynamo_json_dump

from harness.inside.dynamodb.values import refusal

_WORD = re.compile(r"(?<![\w.:#])#?[A-Za-z_]\w*")
_BETWEEN = re.compile(r"\bBETWEEN\b(.+?)\bAND\b", re.IGNORECASE)
_NO_NAMES = {
    "and",
    "or",
    "not",
    "in",
    "between",
    "size",
    "contains",
    "begins_with",
    "attribute_exists",
    "attribute_not_exists",
    "attribute_type",
}


def verify(operation: str, request: Any, backend: Any) -> None:
    """Raises CommonServiceException (ValidationException) for a read that DynamoDB refuses. `backend` is moto's."""
    table = backend.tables.get((request.get("TableName") or "").rpartition("/")[2])
    if operation not in {"Query", "Scan"} or table is None:
        return
    index = _index(table, request.get("IndexName"))
    keys = _keys(table) if index is None else index.schema_key_attrs
    if operation == "Query":
        _verify_conditions(request)
        for name in _names(request, "FilterExpression"):
            if name in keys:
                raise refusal(f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}")
    start = request.get("ExclusiveStartKey")
    if start and set(start) != {*_keys(table), *keys}:
        raise refusal("The provided starting key is invalid")
    _verify_select(request, index)


def complete(request: Any, answer: bytes, backend: Any) -> bytes:
    """Returns moto's answer to a Query or Scan without the items that Select=COUNT does not want, and with all attributes of those of a local index."""
    select, name = request.get("Select"), request.get("IndexName")
    if select not in {"COUNT", "ALL_ATTRIBUTES"} or (select == "ALL_ATTRIBUTES" and name is None):
        return answer
    told = json.loads(answer)
    if select == "COUNT":
        told.pop("Items", None)
    else:
        table = backend.tables[request["TableName"].rpartition("/")[2]]
        keys = _keys(table)
        found = [table.get_item(*(DynamoType(item[key]) for key in keys)) for item in told.get("Items", ())]
        told["Items"] = [item.to_json()["Attributes"] for item in found if item is not None]
    return str(dynamo_json_dump(told)).encode()


def _verify_select(request: Any, index: Any) -> None:
    select = request.get("Select")
    shown = request.get("ProjectionExpression") or request.get("AttributesToGet")
    if select == "SPECIFIC_ATTRIBUTES" and not shown:
        raise refusal("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
    if shown and select not in {None, "SPECIFIC_ATTRIBUTES"}:
        raise refusal(f"Cannot specify the AttributesToGet or ProjectionExpression when choosing to get {select}")
    kind = (getattr(index, "projection", None) or {}).get("ProjectionType", "ALL")
    if select == "ALL_ATTRIBUTES" and _is_global(index) and kind != "ALL":
        raise refusal(
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index "
            f"{index.name} because its projection type is not ALL"
        )


def _verify_conditions(request: Any) -> None:
    """A key condition has one comparison for each key attribute."""
    text = _BETWEEN.sub("", request.get("KeyConditionExpression") or "")
    names = [name for clause in re.split(r"\bAND\b", text, flags=re.IGNORECASE) for name in _found(request, clause)]
    if len(set(names)) < len(names):
        raise refusal("KeyConditionExpressions must only contain one condition per key")


def _names(request: Any, expression: str) -> list[str]:
    return _found(request, request.get(expression) or "")


def _found(request: Any, text: str) -> list[str]:
    """Returns the attributes that an expression begins a path with."""
    names = request.get("ExpressionAttributeNames") or {}
    return [str(names.get(word, word)) for word in _WORD.findall(text) if word.lower() not in _NO_NAMES]


def _index(table: Any, name: str | None) -> Any:
    return next((index for index in table.all_indexes() if index.name == name), None)


def _is_global(index: Any) -> bool:
    return index is not None and type(index).__name__ == "GlobalSecondaryIndex"


def _keys(table: Any) -> list[str]:
    return [name for name in (table.hash_key_attr, table.range_key_attr) if name]
