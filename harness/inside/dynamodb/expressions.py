"""The names and values that an expression uses, and its request does not define. moto fails in itself there, or takes them for what no item has.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.inside.dynamodb.values import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXPRESSIONS = ("UpdateExpression", "ConditionExpression", "KeyConditionExpression", "FilterExpression", "ProjectionExpression")
_USED = re.compile(r"[#:]\w+")


def verify(request: Any) -> None:
    """Raises CommonServiceException (ValidationException) for the first name or value that is not defined."""
    for part in _parts(request):
        names, values = part.get("ExpressionAttributeNames") or {}, part.get("ExpressionAttributeValues") or {}
        for kind in _EXPRESSIONS:
            for used in _USED.findall(part.get(kind) or ""):
                if used[0] == "#" and used not in names:
                    raise refusal(
                        f"Invalid {kind}: An expression attribute name used in the document path is not defined; attribute name: {used}"
                    )
                if used[0] == ":" and used not in values:
                    raise refusal(
                        f"Invalid {kind}: An expression attribute value used in expression is not defined; attribute value: {used}"
                    )


def _parts(request: Any) -> Iterator[Any]:
    """Yields the parts of a request that may hold expressions: the request itself, the tables of a batch, the actions of a transaction."""
    yield request
    for table in (request.get("RequestItems") or {}).values():
        if isinstance(table, dict):
            yield table
    for item in request.get("TransactItems") or ():
        yield from item.values()
