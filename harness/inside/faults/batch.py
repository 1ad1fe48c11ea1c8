"""Which records an invocation holds, so that a firing tells whom it met."""

from __future__ import annotations

import json
from typing import Any


def batch_of(payload: bytes) -> dict[str, Any] | None:
    """Returns {shard, first, last} of an event of a Kinesis mapping (the sequence numbers of its ends); None for any other event."""
    try:
        records = json.loads(payload)["Records"]
        shard = records[0]["eventID"].partition(":")[0]
        return {"shard": shard, "first": records[0]["kinesis"]["sequenceNumber"], "last": records[-1]["kinesis"]["sequenceNumber"]}
    except (ValueError, KeyError, TypeError, IndexError):
        return None
