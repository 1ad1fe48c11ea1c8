"""Tumbling windows: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.inside.streams.checkpoints import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_STATE_BYTES = 1024 * 1024


def window_at(arrived_at_s: float, length_s: int) -> Window:
    """Returns the window that a record belongs to which arrived at that time."""
    start_s = int(arrived_at_s // length_s) * length_s
    return Window(start_s, start_s + length_s)


def event(
    window: Window, records: Sequence[dict[str, Any]], shard_id: str, source_arn: str, *, final: bool, early: bool = False
) -> dict[str, Any]:
    """Returns the event of one invocation of a window: final=True is the one that ends it, early=True ends it because of its state's size."""
    return {
        "Records": list(records),
        "window": {"start": _time(window.start_s), "end": _time(window.end_s)},
        "state": window.state,
        "shardId": shard_id,
        "eventSourceARN": source_arn,
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": early,
    }


def state_of(answer: Any) -> dict[str, Any]:
    """Returns the state that a function's answer hands on; an answer without one hands on an empty state."""
    state = answer.get("state") if isinstance(answer, dict) else None
    return state if isinstance(state, dict) else {}


def is_too_large(state: dict[str, Any]) -> bool:
    """Returns whether the state exceeds what Lambda keeps, which ends the window early."""
    return len(json.dumps(state)) > MAX_STATE_BYTES


def _time(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
