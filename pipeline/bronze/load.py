"""What is promised of an event: reckoned from the fields as they were drawn, and not by the pipeline's transforms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def expected(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the columns of the stored row."""
    moment = datetime.fromisoformat(fields["at"]).astimezone(UTC)
    return {
        "event_id": fields["id"],
        "event_kind": fields["kind"],
        "user_id": fields["user"],
        "occurred_at": moment.isoformat().replace("+00:00", "Z"),
    }
