"""ListShards: pages, and the shards of a moment.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from localstack.aws.api.kinesis import ExpiredNextTokenException, InvalidArgumentException

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.kinesis.models import Stream

    from harness.inside.kinesis.shard import IndexedShard

_MOST = 1000
_TOKEN_LIFE_S = 300


def page(shards: list[IndexedShard], after: str | None, most: int | None) -> tuple[list[IndexedShard], str | None]:
    """Returns the shards whose ids come after this one, and the last of them where there are more."""
    rest = [shard for shard in shards if after is None or shard.shard_id > after]
    shown = rest[: min(most or _MOST, _MOST)]
    return shown, shown[-1].shard_id if len(shown) < len(rest) else None


def filtered(stream: Stream, wanted: Any) -> list[IndexedShard]:
    """Returns the shards, by id, that a ShardFilter selects; all of them without one.

    Raises InvalidArgumentException for a filter that lacks what its type needs."""
    shards = sorted(stream.shards.values(), key=lambda shard: shard.shard_id)
    return list(filter(_condition(stream, wanted), shards)) if wanted else shards


def _condition(stream: Stream, wanted: Any) -> Callable[[IndexedShard], bool]:
    kind, shard_id, at = wanted.get("Type"), wanted.get("ShardId"), wanted.get("Timestamp")
    if (kind == "AFTER_SHARD_ID") is (shard_id is None):
        raise InvalidArgumentException(f"ShardFilter of type {kind} {'needs a' if shard_id is None else 'takes no'} ShardId")
    if (kind in {"AT_TIMESTAMP", "FROM_TIMESTAMP"}) is (at is None):
        raise InvalidArgumentException(f"ShardFilter of type {kind} {'needs a' if at is None else 'takes no'} Timestamp")
    horizon_s = time.time() - stream.retention_period_hours * 3600
    first_s = max((shard.opened_at_s for shard in stream.shards.values() if shard.parent is None), default=horizon_s)
    match kind:
        case "AFTER_SHARD_ID":
            return lambda shard: shard.shard_id > shard_id
        case "AT_LATEST":
            return lambda shard: shard.is_open
        case "AT_TRIM_HORIZON":
            return lambda shard: shard.was_open(max(horizon_s, first_s))
        case "FROM_TRIM_HORIZON":
            return lambda shard: shard.closed_at_s is None or shard.closed_at_s >= horizon_s
        case "AT_TIMESTAMP":
            return lambda shard: shard.was_open(_seconds(at))
        case "FROM_TIMESTAMP":
            return lambda shard: shard.closed_at_s is None or shard.closed_at_s >= _seconds(at)
        case _:
            raise InvalidArgumentException(f"{kind} is not a type of a ShardFilter")


def token(stream: Stream, last: str, wanted: Any) -> str:
    """Returns the NextToken that goes on after this shard."""
    if wanted and wanted.get("Timestamp") is not None:
        wanted = {**wanted, "Timestamp": _seconds(wanted["Timestamp"])}
    return base64.b64encode(json.dumps([stream.stream_name, last, wanted, time.time()]).encode()).decode()


def of_token(text: str) -> tuple[str, str, Any]:
    """Returns the stream's name, the last shard and the filter. Raises InvalidArgumentException or ExpiredNextTokenException."""
    try:
        name, last, wanted, issued_at_s = json.loads(base64.b64decode(text, validate=True))
        age_s = time.time() - issued_at_s
    except (ValueError, TypeError) as error:
        raise InvalidArgumentException("Invalid NextToken.") from error
    if age_s > _TOKEN_LIFE_S:
        raise ExpiredNextTokenException(f"The token is {age_s:.0f} s old; it lives for {_TOKEN_LIFE_S} s.")
    return name, last, wanted


def _seconds(at: Any) -> float:
    return at.timestamp() if hasattr(at, "timestamp") else float(at)
