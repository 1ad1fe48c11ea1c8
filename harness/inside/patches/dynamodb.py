"""Patches of DynamoDB."""

from __future__ import annotations

import functools
from collections import deque
from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("moto.dynamodb.models.table", {"StreamShard": NAME, "Table.set_stream_specification": ("self", "streams")})
def stream(module: Any) -> None:
    """Moto's stream has two records for an update that creates an item, and keeps what a failed transaction has changed."""
    from harness.inside.dynamodb.log import TableLog  # noqa: PLC0415

    module.StreamShard = TableLog


@patch(
    "moto.dynamodb.models",
    {
        "DynamoDBBackend.execute_statement": ("self", "statement", "parameters"),
        "DynamoDBBackend.execute_transaction": ("self", "statements"),
    },
)
def statements(module: Any) -> None:
    """Moto's INSERT takes the place of an item that has the key, its SELECT finds nothing by most conditions, its DELETE with a parameter deletes nothing,
    and of a transaction that fails the first statements stay."""
    execute_statement = module.DynamoDBBackend.execute_statement

    def verified(self: Any, statement: str, parameters: Any) -> Any:
        from harness.inside.dynamodb import partiql  # noqa: PLC0415
        from harness.inside.dynamodb.limits import verify_insert  # noqa: PLC0415

        verb = partiql.verb_of(statement)
        if verb == "select":
            return partiql.selected(self, statement, parameters)
        if verb in {"update", "delete"}:
            return partiql.done(self, statement, parameters)
        verify_insert(self, statement, parameters)
        return execute_statement(self, statement, parameters)

    def all_or_none(self: Any, statements: Any) -> Any:
        from harness.inside.dynamodb.partiql_transaction import executed  # noqa: PLC0415

        return executed(self, statements)

    module.DynamoDBBackend.execute_statement = verified
    module.DynamoDBBackend.execute_transaction = all_or_none


@patch(
    "moto.dynamodb.models.dynamo_type",
    {
        "Item.__init__": ("self", "hash_key", "range_key", "attrs"),
        "LimitedSizeDict": NAME, "DynamoType": NAME, "ItemSizeTooLarge": NAME, "bytesize": ("val",),
    },
)  # fmt: skip
def item_size(module: Any) -> None:
    """Moto's items may have 405,000 bytes, AWS's 409,600. To make an item, moto asks before each attribute how large all of those before are."""

    def size_of(value: Any) -> int:
        return int(value.size() if isinstance(value, module.DynamoType) else module.bytesize(str(value)))

    def put(self: Any, key: str, value: Any) -> None:
        from harness.inside.dynamodb.limits import MAX_ITEM_BYTES  # noqa: PLC0415

        others = sum(size_of(name) + size_of(other) for name, other in self.items() if name != key)
        if others + size_of(key) + size_of(value) > MAX_ITEM_BYTES:
            raise module.ItemSizeTooLarge
        dict.__setitem__(self, key, value)

    def made(self: Any, hash_key: Any, range_key: Any, attrs: dict[str, Any]) -> None:
        from harness.inside.dynamodb.limits import MAX_ITEM_BYTES  # noqa: PLC0415
        from harness.inside.dynamodb.values import at_most  # noqa: PLC0415

        values = {name: module.DynamoType(value) for name, value in attrs.items()}
        if (
            at_most(attrs) > MAX_ITEM_BYTES
            and sum(size_of(name) + size_of(value) for name, value in values.items()) > MAX_ITEM_BYTES
        ):
            raise module.ItemSizeTooLarge
        self.hash_key, self.range_key, self.attrs = hash_key, range_key, module.LimitedSizeDict(values)

    module.LimitedSizeDict.__setitem__, module.Item.__init__ = put, made


@patch(
    "moto.dynamodb.comparisons",
    {
        **{f"{name}.expr": ("self", "item") for name in ("OpEqual", "OpNotEqual", "OpLessThan", "OpLessThanOrEqual")},
        **{f"{name}.expr": ("self", "item") for name in ("OpGreaterThan", "OpGreaterThanOrEqual")},
        **{f"{name}.expr": ("self", "item") for name in ("FuncBeginsWith", "FuncContains", "FuncBetween", "FuncIn")},
        "AttributePath._get_attr": ("self", "item"),
    },
)
def comparisons(module: Any) -> None:
    """Moto compares what Python makes of the values: true is 1, 0 is between nothing, and a text that is compared with a number raises."""
    from harness.inside.dynamodb import comparisons as ours  # noqa: PLC0415

    def compared(holds: Any) -> Any:
        return lambda self, item: holds(self.lhs, self.rhs, item)

    for name, holds in ours.COMPARISONS.items():
        getattr(module, name).expr = compared(holds)
    module.FuncBeginsWith.expr = lambda self, item: ours.begins_with(self.attr, self.substr, item)
    module.FuncContains.expr = lambda self, item: ours.contains(self.attr, self.operand, item)
    module.FuncBetween.expr = lambda self, item: (
        ours.at_most(self.start, self.attr, item) and ours.at_most(self.attr, self.end, item)
    )
    module.FuncIn.expr = lambda self, item: any(ours.equal(self.attr, value, item) for value in self.possible_values)


@patch("moto.dynamodb.comparisons", {"ConditionExpressionParser._lex_condition_expression": ("self",)})
def conditions(module: Any) -> None:
    """Moto takes a condition apart twice for each write, with patterns that it makes anew for each part of it. The parts depend on its text alone."""
    parser = module.ConditionExpressionParser
    take_apart = parser._lex_condition_expression  # noqa: SLF001

    @functools.lru_cache(maxsize=256)
    def parts(text: str) -> tuple[Any, ...]:
        return tuple(take_apart(parser(text, {}, {})))

    parser._lex_condition_expression = lambda self: deque(parts(self.condition_expression))  # noqa: SLF001


PATCHES = (stream, statements, item_size, comparisons, conditions)
