"""What the contents of some records have in common that those of others have not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from harness.report.said import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LEAST_RECORDS = 3
# In at least so many of these, and in at most so many of the others.
_OF_THESE = 0.9
_OF_OTHERS = 0.5
_MOST_TOLD = 3
_LONGEST = 40
_DEEPEST = 3
Trait = tuple[str, str]
"""A field, and what is said of it."""


def traits(document: bytes | str | None) -> frozenset[Trait]:
    """Returns what can be said of each field of a JSON object; nothing of what is none."""
    try:
        contents = from_json(document) if document else None
    except ValueError:
        return frozenset()
    return frozenset(_of(contents, "", 0)) if isinstance(contents, dict) else frozenset()


def _of(value: Any, name: str, depth: int) -> Iterator[Trait]:
    if name:
        yield name, "is there"
    if isinstance(value, dict):
        if depth < _DEEPEST:
            for key, inner in value.items():
                yield from _of(inner, f"{name}.{key}" if name else key, depth + 1)
    elif isinstance(value, list):
        yield name, "has entries" if value else "is empty"
    elif isinstance(value, str):
        yield from ((name, what) for what in _of_text(value))
    elif isinstance(value, bool) or value is None:
        yield name, f"is {'null' if value is None else str(value).lower()}"
    else:
        yield name, f"is {value}"
        if value < 0:
            yield name, "is negative"


def _of_text(text: str) -> Iterator[str]:
    yield f"is {shortened(text, _LONGEST)}" if text else "is empty"
    if not text.isascii():
        yield "has characters beyond ASCII"
    if text != text.strip():
        yield "has blanks around it"
    if any(mark in text for mark in '",\n'):
        yield "has a quote, a comma or a line break"


def in_common(these: Sequence[frozenset[Trait]], others: Sequence[frozenset[Trait]]) -> str:
    """Returns what nearly all of these records have and most of the others have not, as a phrase; empty where there is nothing, or too few to say."""
    if len(these) < _LEAST_RECORDS or not others:
        return ""
    here, there = _counted(these), _counted(others)
    found: dict[str, tuple[float, float, str]] = {}
    # What says least comes first, and stays where another trait of the field tells these apart no better.
    for (name, what), many in sorted(here.items(), key=lambda one: (one[0][1] != "is there", one[0][1].startswith("is "), one[0])):
        share, usual = many / len(these), there[name, what] / len(others)
        if share >= _OF_THESE and usual <= _OF_OTHERS and share - usual > found.get(name, (0.0,))[0]:
            found[name] = share - usual, usual, f"{name} {what}"
    for (name, what), many in there.items():
        share, usual = 1 - here[name, what] / len(these), 1 - many / len(others)
        if what == "is there" and share >= _OF_THESE and usual <= _OF_OTHERS:
            found[name] = share - usual, usual, f"{name} is missing"
    told = sorted(found.values(), key=lambda one: (-one[0], one[2]))[:_MOST_TOLD]
    return "; ".join(f"{text} (of the others {usual:.0%})" for _, usual, text in told)


def _counted(of: Sequence[frozenset[Trait]]) -> Counter[Trait]:
    return Counter(trait for one in of for trait in one)
