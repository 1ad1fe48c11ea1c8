"""The clickstream's transforms: pure functions from bytes and values to bytes and values.

An event is JSON:

    {"eventId": "…", "eventType": "page_view|click|purchase|signup", "userId": "…", "timestamp": "2026-01-31T12:00:00.123Z",
     "sessionId": "…", "properties": {…}}

`sessionId` and `properties` are optional; unknown fields are kept as they are. What is stored is the event with nothing
removed and nothing changed, plus `processedAt`, `hourBucket` and `isNewUser`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import pydantic_core
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

EventType = Literal["page_view", "click", "purchase", "signup"]
EVENT_TYPES = frozenset(get_args(EventType))
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]

_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]", re.ASCII)
ENRICHMENT = ("processedAt", "hourBucket", "isNewUser")


class Event(BaseModel):
    """The fields that the pipeline relies on. Strict: a number is not a string."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, populate_by_name=False)

    event_id: Identifier = Field(alias="eventId")
    event_type: EventType = Field(alias="eventType")
    user_id: Identifier = Field(alias="userId")
    timestamp: Annotated[AwareDatetime, Field(strict=False)]
    session_id: Identifier | None = Field(default=None, alias="sessionId")
    properties: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A valid event: its document as it came, and what the pipeline needs of it. `hour` is UTC, without minutes."""

    document: dict[str, Any]
    event_id: str
    user_id: str
    hour: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a payload is not an event: a name for the kind of error, and details that name the fields."""

    error: str
    message: str


def parse(payload: bytes, event_types: frozenset[str] = EVENT_TYPES) -> Accepted | Rejected:
    """Reads one event. Total: any bytes give one of the two, never an exception. An event whose type is none of `event_types` is not taken.

    Integers of any size are kept exactly, other numbers as doubles; of equal names in one object the last counts."""
    try:
        # Not strict UTF-8 is refused here: a lone surrogate or a wrong byte would not survive being written again.
        document = pydantic_core.from_json(payload, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        return Rejected("MalformedJson", str(error))
    if not isinstance(document, dict):
        return Rejected("NotAnObject", f"expected a JSON object, got {type(document).__name__}")
    reserved = [name for name in ENRICHMENT if name in document]
    if reserved:
        return Rejected("ReservedField", f"{', '.join(reserved)}: set by the pipeline, not by the sender")
    timestamp = document.get("timestamp")
    if not (isinstance(timestamp, str) and _DATE.match(timestamp)):
        # pydantic would take digits for seconds or milliseconds since the epoch, by their number: a guess.
        return Rejected("InvalidEvent", "timestamp: expected an ISO 8601 date and time with time zone, as a string")
    try:
        event = Event.model_validate(document)
        hour = event.timestamp.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    except ValidationError as error:
        return Rejected("InvalidEvent", "; ".join(_explain(detail) for detail in error.errors(include_url=False)))
    except OverflowError:
        return Rejected("InvalidEvent", "timestamp: outside the years 1 to 9999 in UTC")
    if event.event_type not in event_types:
        return Rejected("EventTypeNotTaken", f"eventType: {event.event_type} is none of {', '.join(sorted(event_types))}")
    if not _is_finite(document):
        return Rejected("NumberOutOfRange", "a number is too large for a double; it would be stored as infinity, which is not JSON")
    return Accepted(document, event.event_id, event.user_id, hour)


def _is_finite(value: Any) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(_is_finite(item) for item in value.values())
        case list():
            return all(_is_finite(item) for item in value)
        case _:
            return True


def _explain(detail: Any) -> str:
    return f"{'.'.join(str(part) for part in detail['loc']) or 'event'}: {detail['msg']}"


def enrich(event: Accepted, *, processed_at: datetime, is_new_user: bool) -> dict[str, Any]:
    """Returns the stored document: the event, and the three fields of the pipeline. Its input is not changed."""
    return {
        **event.document,
        "processedAt": processed_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "hourBucket": hour_bucket(event.hour),
        "isNewUser": is_new_user,
    }


def hour_bucket(hour: datetime) -> str:
    """Returns the hour in which an event happened, such as 2026-01-31T12:00:00Z."""
    return f"{hour:%Y-%m-%dT%H}:00:00Z" if hour.year >= 1000 else f"{hour.year:04d}-{hour:%m-%dT%H}:00:00Z"


def partition(hour: datetime) -> str:
    """Returns the folder of an hour, in the form that Athena and Glue read as partitions: dt=2026-01-31/hour=12."""
    bucket = hour_bucket(hour)
    return f"dt={bucket[:10]}/hour={bucket[11:13]}"


def object_key(hour: datetime, shard_id: str, first_sequence_number: str, last_sequence_number: str) -> str:
    """Returns the key of the object of one hour of one batch. The same batch has the same key: a retry overwrites instead of doubling."""
    return f"events/{partition(hour)}/{shard_id}-{first_sequence_number}-{last_sequence_number}.ndjson"


def group_by_hour(events: Iterable[Accepted]) -> dict[datetime, list[Accepted]]:
    """Returns the events of each hour, in their order; every event is in exactly one group."""
    groups: dict[datetime, list[Accepted]] = {}
    for event in events:
        groups.setdefault(event.hour, []).append(event)
    return groups


def ndjson(documents: Sequence[Mapping[str, Any]]) -> bytes:
    """Returns one line of JSON per document, each ended by a newline."""
    return b"".join(pydantic_core.to_json(document) + b"\n" for document in documents)


def first_events(events: Iterable[Accepted]) -> dict[str, str]:
    """For each user, the id of their first event among these."""
    firsts: dict[str, str] = {}
    for event in events:
        firsts.setdefault(event.user_id, event.event_id)
    return firsts
