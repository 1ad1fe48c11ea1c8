"""Compares what is stored with what its source promised."""

from __future__ import annotations

import functools
from typing import Any

from pydantic_core import from_json, to_json

_MISSING = object()


def broken_promise(promised: bytes, content: bytes | None) -> str | None:
    """Returns what of the promised JSON object is missing or different in the stored one; None where all of it is there.

    Fields that were not promised are free. Values are compared as JSON: 1 is not true, and not "1"; the order of keys is free."""
    if _goes_on(promised, content or b""):
        return None
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
    if _write(found) == promised:
        return None
    different = [
        f"{name}: promised {_short(value)}, found {_short(found[name])}"
        for name, value in expected.items()
        if not _same(value, found[name])
    ]
    return "; ".join(different) or None


def _goes_on(promised: bytes, content: bytes) -> bool:
    """Whether what is stored is what was promised, byte for byte, and then other fields: a parser would find nothing else.

    Most pipelines write so, many records with the same further fields."""
    start = len(promised) - 1
    if start < 2 or not content.startswith(promised[:start]):
        return False
    names = _names(content[start:])
    # A generator in any() would take longer than all the rest here.
    for name in names or ():
        if name in promised:
            return False
    return names is not None


@functools.lru_cache(maxsize=1024)
def _names(rest: bytes) -> tuple[bytes, ...] | None:
    """Returns the names of the fields in the rest of an object, behind a field's value, as a source writes them: `"b":` of `,"b":1}`.
    None where the rest does not end the object."""
    if rest == b"}":
        return ()
    try:
        fields = from_json(b"{" + rest[1:]) if rest[:1] == b"," else None
    except ValueError:
        return None
    return tuple(to_json(name) + b":" for name in fields) if fields else None


def _write(value: Any) -> bytes:
    """Returns it as a source writes what it promises; but NaN, which is no null."""
    return to_json(value, inf_nan_mode="constants")


def _same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(value, b[name]) for name, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


def _short(value: Any) -> str:
    text = _write(value).decode()
    return text if len(text) <= 80 else text[:77] + "…"
