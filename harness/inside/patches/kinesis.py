"""Patches of Kinesis."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("moto.kinesis.models", {"Shard": NAME})
def shard(module: Any) -> None:
    """Moto's shard walks all its records on every read, so that the cost grows with the square of the records."""
    from harness.inside.kinesis.shard import IndexedShard  # noqa: PLC0415

    module.Shard = IndexedShard


PATCHES = (shard,)
