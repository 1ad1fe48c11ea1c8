"""Texts that a regular expression matches, for fields that a model or a schema describes by one."""

from __future__ import annotations

import random
import re
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from harness.documents import MISTYPED

_MOST_REPEATS = 8
_ATTEMPTS = 40
_PRINTABLE = "abcdefghijklmnopqrstuvwxyz0123456789"
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789", "CATEGORY_WORD": _PRINTABLE, "CATEGORY_SPACE": " ", "CATEGORY_NOT_SPACE": _PRINTABLE, "CATEGORY_NOT_DIGIT": _PRINTABLE[:26],
}  # fmt: skip


def examples(pattern: str, count: int = 6) -> list[str]:
    """Returns up to `count` different texts, the same ones each time; none where the pattern cannot be read, or needs what stands around."""
    try:
        compiled, tree = re.compile(pattern), parser.parse(pattern)
        rng, found = random.Random(pattern), dict[str, None]()
        for _ in range(_ATTEMPTS):
            text = "".join(_one(rng, part) for part in tree)
            if text and compiled.search(text):
                found.setdefault(text)
        return list(found)[:count]
    except (re.error, *MISTYPED):
        return []


def _one(rng: random.Random, part: Any) -> str:
    kind, value = part
    match str(kind):
        case "LITERAL":
            return chr(value)
        case "NOT_LITERAL":
            return next(one for one in _PRINTABLE if ord(one) != value)
        case "ANY":
            return rng.choice(_PRINTABLE)
        case "IN":
            return rng.choice(_members(value))
        case "BRANCH":
            return "".join(_one(rng, inner) for inner in rng.choice(value[1]))
        case "SUBPATTERN":
            return "".join(_one(rng, inner) for inner in value[3])
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            low, high, inner = value
            high = low + _MOST_REPEATS if high == kinds.MAXREPEAT else int(high)
            return "".join(_one(rng, one) for _ in range(rng.randint(low, high)) for one in inner)
        case _:
            # What has no width: the begin, the end.
            return ""


def _members(parts: Any) -> str:
    names = {str(kind) for kind, _ in parts}
    found = ""
    for kind, value in parts:
        match str(kind):
            case "LITERAL":
                found += chr(value)
            case "RANGE":
                found += "".join(map(chr, range(value[0], min(value[1], value[0] + 200) + 1)))
            case "CATEGORY":
                found += _CATEGORIES.get(str(value), "")
    return "".join(one for one in _PRINTABLE if one not in found) if "NEGATE" in names else found
