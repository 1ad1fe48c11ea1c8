"""Fields for names of which nothing else is known."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

_UUID_CHARACTERS = 36
_MOMENT_CHARACTERS = 24
_BY_NAME: tuple[tuple[str, dict[str, Any]], ...] = (
    ("e?mail", {"type": "email"}),
    (
        "price|amount|total|cost|salary|balance|temperature|score|rate$|weight|value",
        {"type": "decimal", "min": 1, "max": 500, "places": 2},
    ),
    ("quantity|qty|count$|units|^age$|number|size|stock|year", {"type": "int", "min": 1, "max": 50}),
    ("_on$|_day$|birthday|(^|_)(from|until|due)$|(^|_)(day|date)$", {"type": "date"}),
    ("timestamp|time|date|created|updated|_at$|At$", {"type": "datetime"}),
    ("first_?name|last_?name|full_?name|customer|user|^name", {"type": "name", "unicode": False}),
)


def guessed(name: str) -> dict[str, Any]:
    """Returns a field for a name alone."""
    if re.search(r"^id$|(_id|Id|ID|uuid|guid)$", name):
        return {"type": "uuid"}
    return next(
        (field for pattern, field in _BY_NAME if re.search(pattern, name, re.IGNORECASE)),
        {"type": "choice", "of": ["alpha", "beta"]},
    )


def recent(fields: Mapping[str, dict[str, Any]], today: date) -> dict[str, dict[str, Any]]:
    """Gives dates and moments without bounds the bounds yesterday and today. A pipeline may refuse old records, or keep a partition per day."""
    return {name: _recent(field, today) for name, field in fields.items()}


def _recent(field: dict[str, Any], today: date) -> dict[str, Any]:
    match field:
        case {"type": "nested", "fields": dict() as inner}:
            return field | {"fields": recent(inner, today)}
        case {"type": "list", "of": dict() as inner}:
            return field | {"of": _recent(inner, today)}
        case {"type": "date" | "datetime"} if "min" not in field:
            return field | {"min": str(today - timedelta(days=1)), "max": str(today)}
    return field


def text_field(field: dict[str, Any], longest: object = None) -> dict[str, Any]:
    """Returns a field that draws text in the place of one that draws numbers, no longer than that."""
    if field["type"] in {"decimal", "int"}:
        return {"type": "choice", "of": ["1", "2"]}
    if field["type"] == "datetime" and isinstance(longest, int) and longest < _MOMENT_CHARACTERS:
        return {"type": "date"}
    if field["type"] != "date" and isinstance(longest, int) and longest < _UUID_CHARACTERS:
        return {"type": "choice", "of": ["alpha"[:longest], "beta"[:longest]]}
    return field
