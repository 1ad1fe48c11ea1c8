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
    from collections.abc import Collection, Iterable
    from datetime import datetime

Rejected = clickstream.Rejected
_BRONZE = re.compile(r"bronze/dt=(\d{4}-\d\d-\d\d)/hour=(\d\d)/[^/]+", re.ASCII)
_BUILD = re.compile(r"(?:silver|gold)/dt=\d{4}-\d\d-\d\d/build=([^/]+)(?:/.*)?", re.ASCII)


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


def days(objects: Iterable[tuple[str, str]]) -> list[Day]:
    """Returns the days of the bronze layer, in their order, from keys and ETags: another object, or another content, is another fingerprint."""
    found: dict[str, list[str]] = defaultdict(list)
    hours: dict[str, set[str]] = defaultdict(set)
    for key, etag in objects:
        if match := _BRONZE.fullmatch(key):
            found[match[1]].append(f"{key}\0{etag}")
            hours[match[1]].add(match[2])
    return [
        Day(dt, tuple(sorted(hours[dt])), hashlib.sha256("\0".join(sorted(found[dt])).encode()).hexdigest()) for dt in sorted(found)
    ]


def build_of(place: str) -> str:
    """Returns the build of which a key or an S3 URL of silver or gold is; empty where it is of none."""
    match = _BUILD.search(place)
    return match[1] if match else ""


def superseded(keys: Iterable[str], in_use: Collection[str]) -> list[str]:
    """Returns the keys of the silver and gold layers that belong to a build which is not in use."""
    return [key for key in keys if (build := build_of(key)) and build not in in_use]
