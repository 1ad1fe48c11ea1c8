"""The transforms of the lake: pure, from the bytes of an event to a row of the bronze layer, and from keys of objects to what has to be built anew.

The events are those of the clickstream. A row has the event itself as it was received, besides the columns by which it is found.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from pipeline.clickstream import transforms as clickstream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

Rejected = clickstream.Rejected
_BRONZE = re.compile(r"bronze/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/[^/]+", re.ASCII)
_BUILD = re.compile(r"(?:silver|gold)/dt=(\d{4}-\d\d-\d\d)/build=([^/]+)/.+", re.ASCII)


class Row(NamedTuple):
    """A row of the bronze layer. `hour` is that of the event in UTC, and decides in which partition the row belongs."""

    document: dict[str, str]
    hour: datetime


def bronze_row(payload: bytes, *, received_at: str, shard_id: str, sequence_number: str) -> Row | Rejected:
    """Total: any bytes give a row that has them all, or a reason why they are no event."""
    event = clickstream.parse(payload)
    if isinstance(event, Rejected):
        return event
    document = {
        "event_id": event.event_id,
        "event_type": str(event.document["eventType"]),
        "user_id": event.user_id,
        "occurred_at": str(event.document["timestamp"]),
        "hour_bucket": clickstream.hour_bucket(event.hour),
        "received_at": received_at,
        "shard_id": shard_id,
        "sequence_number": sequence_number,
        "payload": payload.decode(),
    }
    return Row(document, event.hour)


def bronze_key(hour: datetime, shard_id: str, first: str, last: str) -> str:
    """Returns the key of the object of one hour of one batch: the same batch has the same key."""
    return f"bronze/{clickstream.partition(hour)}/{shard_id}-{first}-{last}.ndjson"


class Day(NamedTuple):
    """A day of the bronze layer: its hours, and a name for the objects that it has."""

    dt: str
    hours: tuple[str, ...]
    fingerprint: str


def days(keys: Iterable[str]) -> list[Day]:
    """Returns the days of the bronze layer, in their order. Objects never change: other keys are another fingerprint."""
    found: dict[str, list[str]] = defaultdict(list)
    hours: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        if match := _BRONZE.fullmatch(key):
            found[match[1]].append(key)
            hours[match[1]].add(match[2])
    return [
        Day(dt, tuple(sorted(hours[dt])), hashlib.sha256("\0".join(sorted(found[dt])).encode()).hexdigest()) for dt in sorted(found)
    ]


def superseded(keys: Iterable[str], builds: dict[str, str]) -> list[str]:
    """Returns the keys of the silver and gold layers that belong to another build than that of their day in `builds`."""
    return [key for key in keys if (match := _BUILD.fullmatch(key)) and builds.get(match[1]) != match[2]]
