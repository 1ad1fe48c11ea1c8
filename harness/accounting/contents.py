"""Compares what is stored with what its source promised."""

from __future__ import annotations

from typing import Any

from pydantic_core import from_json, to_json

_MISSING = object()


def broken_promise(promised: bytes, content: bytes | None) -> str | None:
    """Returns what of the promised JSON object is missing or different in the stored one; None where all of it is there.

    Fields that were not promised are free. Values are compared as JSON: 1 is not true, and not "1"; the order of keys is free."""
    try:
        stored = from_json(content or b"")
    except ValueError:
        return "what is stored is not JSON"
    if not isinstance(stored, dict):
        return "what is stored is not a JSON object"
    expected: dict[str, Any] = from_json(promised)
    found = {name: stored.get(name, _MISSING) for name in expected}
    if _MISSING in found.values():
        return "missing: " + ", ".join(name for name, value in found.items() if value is _MISSING)
    if to_json(found) == promised:
        return None
    different = [
        f"{name}: promised {_short(value)}, found {_short(found[name])}"
        for name, value in expected.items()
        if not _same(value, found[name])
    ]
    return "; ".join(different) or None


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(value, b[name]) for name, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _short(value: Any) -> str:
    text = to_json(value).decode()
    return text if len(text) <= 80 else text[:77] + "…"
