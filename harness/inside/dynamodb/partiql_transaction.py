"""ExecuteTransaction: all statements, or none.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from moto.dynamodb.exceptions import ConditionalCheckFailed, DynamodbException, TransactionCanceledException

from harness.inside.dynamodb.limits import DuplicateItemError

if TYPE_CHECKING:
    from collections.abc import Sequence


def executed(backend: Any, statements: Sequence[Any]) -> list[dict[str, Any]]:
    """Returns the responses of all statements. `backend` is moto's. Raises TransactionCanceledException, with nothing written, where one fails."""
    before = copy.deepcopy(backend.tables)
    answers: list[dict[str, Any]] = []
    for number, one in enumerate(statements):
        try:
            items = backend.execute_statement(statement=one["Statement"], parameters=one.get("Parameters", []))
        except DynamodbException as error:
            backend.tables = before
            reasons: list[tuple[Any, Any, Any]] = [(None, None, None)] * len(statements)
            reasons[number] = (_code(error), error.message, None)
            raise TransactionCanceledException(reasons) from error
        answers.append({"Item": items[0]} if items else {})
    return answers


def _code(error: DynamodbException) -> str:
    if isinstance(error, ConditionalCheckFailed):
        return "ConditionalCheckFailed"
    return "DuplicateItem" if isinstance(error, DuplicateItemError) else "ValidationError"
