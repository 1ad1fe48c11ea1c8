"""What is promised of a customer: reckoned from the fields as they were drawn, and not by the pipeline's transforms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_PREFIXES = {"DE": ("030 ", "+4930"), "GB": ("020 7", "+44207"), "US": ("(212) ", "+1212")}


def expected(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the stored customer."""
    points = fields["points"]
    day, month, year = fields["birthDate"].split(".")
    local, international = _PREFIXES[fields["country"]]
    moment = datetime.fromisoformat(fields["updatedAt"]).astimezone(UTC)
    return {
        "id": fields["id"],
        "name": " ".join(fields["name"].split()),
        "phone": international + fields["phone"].removeprefix(local),
        "country": fields["country"],
        "birth_date": f"{year}-{month}-{day}",
        # As DynamoDB's API writes a number.
        "points": str(points),
        "tier": ["bronze", "silver", "gold", "platinum"][(points >= 1000) + (points >= 5000) + (points >= 10000)],
        "updated_at": moment.isoformat().replace("+00:00", "Z"),
    }
