"""What is promised of a customer: reckoned from the fields as they were drawn, and not by the pipeline's transforms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_PREFIXES = {"DE": "+4930", "GB": "+44207", "US": "+1212"}
_LOCAL_DIGITS = 7


def expected(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the stored customer."""
    points = fields["points"]
    day = fields["birthDate"]
    moment = datetime.fromisoformat(fields["updatedAt"]).astimezone(UTC)
    return {
        "id": fields["id"],
        "name": " ".join(fields["name"].split()),
        "phone": _PREFIXES[fields["country"]] + fields["phone"][-_LOCAL_DIGITS:],
        "country": fields["country"],
        "birth_date": "-".join(reversed(day.split("."))) if "." in day else day,
        # As DynamoDB's API writes a number.
        "points": str(points),
        "tier": ["bronze", "silver", "gold", "platinum"][(points >= 1000) + (points >= 5000) + (points >= 10000)],
        "updated_at": moment.isoformat().replace("+00:00", "Z"),
    }
