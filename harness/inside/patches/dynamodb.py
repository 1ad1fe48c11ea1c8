"""Patches of DynamoDB."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("moto.dynamodb.models.table", {"StreamShard": NAME, "Table.set_stream_specification": ("self", "streams")})
def stream(module: Any) -> None:
    """Moto's stream has two records for an update that creates an item, and keeps what a failed transaction has changed."""
    from harness.inside.dynamodb.log import TableLog  # noqa: PLC0415

    module.StreamShard = TableLog


@patch("moto.dynamodb.models", {"DynamoDBBackend.execute_statement": ("self", "statement", "parameters")})
def statements(module: Any) -> None:
    """Moto's INSERT takes the place of an item that has the key; its DELETE with a parameter deletes nothing."""
    execute_statement = module.DynamoDBBackend.execute_statement

    def verified(self: Any, statement: str, parameters: Any) -> Any:
        from harness.inside.dynamodb import partiql  # noqa: PLC0415
        from harness.inside.dynamodb.limits import verify_insert  # noqa: PLC0415

        if partiql.is_change(statement):
            return partiql.done(self, statement, parameters)
        verify_insert(self, statement, parameters)
        return execute_statement(self, statement, parameters)

    module.DynamoDBBackend.execute_statement = verified


@patch("moto.dynamodb.models.dynamo_type", {"LimitedSizeDict": NAME, "ItemSizeTooLarge": NAME, "bytesize": ("val",)})
def item_size(module: Any) -> None:
    """Moto's items may have 405,000 bytes, AWS's 409,600."""

    def size_of(value: Any) -> int:
        return int(value.size() if isinstance(value, module.DynamoType) else module.bytesize(str(value)))

    def put(self: Any, key: str, value: Any) -> None:
        from harness.inside.dynamodb.limits import MAX_ITEM_BYTES  # noqa: PLC0415

        others = sum(size_of(name) + size_of(other) for name, other in self.items() if name != key)
        if others + size_of(key) + size_of(value) > MAX_ITEM_BYTES:
            raise module.ItemSizeTooLarge
        dict.__setitem__(self, key, value)

    module.LimitedSizeDict.__setitem__ = put


PATCHES = (stream, statements, item_size)
