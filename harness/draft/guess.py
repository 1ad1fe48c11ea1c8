"""Fields for names of which nothing else is known."""

from __future__ import annotations

import re
from typing import Any

_UUID_CHARACTERS = 36
_BY_NAME: tuple[tuple[str, dict[str, Any]], ...] = (
    ("e?mail", {"type": "email"}),
    (
        "price|amount|total|cost|salary|balance|temperature|score|rate$|weight|value",
        {"type": "decimal", "min": 1, "max": 500, "places": 2},
    ),
    ("quantity|qty|count$|units|^age$|number|size|stock|year", {"type": "int", "min": 1, "max": 50}),
    ("_on$|_day$|birthday", {"type": "date"}),
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


def text_field(field: dict[str, Any], longest: object = None) -> dict[str, Any]:
    """Returns a field that draws text in the place of one that draws numbers, no longer than that."""
    if field["type"] in {"decimal", "int"}:
        return {"type": "choice", "of": ["1", "2"]}
    if isinstance(longest, int) and longest < _UUID_CHARACTERS:
        return {"type": "choice", "of": ["alpha"[:longest], "beta"[:longest]]}
    return field
