"""The transform of the bronze layer: pure, from the bytes of an event to a row, to nothing, or to a reason why there is no row.

An event is JSON: {"id": "…", "kind": "page_view|purchase|signup|heartbeat", "user": "…", "at": "2026-01-31T12:00:00Z", …}. Heartbeats show that a
sender lives, and are dropped. A row has the event itself as it was received, besides the columns by which it is found.
"""

from __future__ import annotations

import json
import re
from datetime import UTC
from typing import Annotated, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import from_json

YEARS = range(2000, 2100)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[Tt ]", re.ASCII)
DROPPED_KINDS = ("heartbeat",)
_Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class _Event(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: _Identifier = Field(strict=True)
    kind: Literal["page_view", "purchase", "signup", "heartbeat"]
    user: _Identifier = Field(strict=True)
    at: AwareDatetime


class Row(NamedTuple):
    """A row of the table, and the partition in which it belongs."""

    event_id: str
    event_kind: str
    user_id: str
    occurred_at: str
    payload: str
    dt: str
    hour: str

    def document(self) -> bytes:
        """Returns the row as Firehose converts it: JSON, with the columns of the table."""
        columns = ("event_id", "event_kind", "user_id", "occurred_at", "payload")
        return json.dumps({name: getattr(self, name) for name in columns}, ensure_ascii=False).encode()


class Dropped(NamedTuple):
    """An event of a kind that is not stored."""

    kind: str


class Failed(NamedTuple):
    """What is wrong with an event."""

    reason: str


def transform(payload: bytes) -> Row | Dropped | Failed:
    """Total: an event is exactly one of the three."""
    try:
        text = payload.decode()
        document = from_json(payload, allow_inf_nan=False)
        if isinstance(document, dict) and not _ISO.match(str(document.get("at"))):
            return Failed("at: expected a time such as 2026-01-31T12:00:00Z")
        event = _Event.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return Failed("; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found))
    except ValueError as error:
        return Failed(str(error))
    if event.kind in DROPPED_KINDS:
        return Dropped(event.kind)
    try:
        moment = event.at.astimezone(UTC)
    except OverflowError:
        return Failed("at: in UTC it is of no year between 1 and 9999")
    if moment.year not in YEARS:
        return Failed(f"at: expected a year from {YEARS[0]} to {YEARS[-1]}, which are those that a query finds")
    occurred_at = moment.isoformat().replace("+00:00", "Z")
    return Row(event.id, event.kind, event.user, occurred_at, text, occurred_at[:10], occurred_at[11:13])
