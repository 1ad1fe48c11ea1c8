"""Patches of DynamoDB."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("moto.dynamodb.models.table", {"StreamShard": NAME, "Table.set_stream_specification": ("self", "streams")})
def stream(module: Any) -> None:
    """Moto's stream has two records for an update that creates an item, and keeps what a failed transaction has changed."""
    from harness.inside.dynamodb.log import TableLog  # noqa: PLC0415

    module.StreamShard = TableLog


PATCHES = (stream,)
