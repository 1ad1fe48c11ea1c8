"""What a filter in front of a function asks of a record: the fields, with values that it lets through.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from harness.draft.guess import guessed
from harness.draft.infer import NAME
from harness.stack.values import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.draft.graph import Entry

# What services put around a record, as a filter sees it.
_AROUND = ("body", "data", "detail")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_LARGEST = 10**12
_IMAGE = ("dynamodb", "NewImage")


def patterns_of(entry: Entry, values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields what the filters of an entry ask of a record. `values` are those of the template's parameters."""
    settings = entry.settings
    pattern = settings.get("Pattern")
    if entry.kind == "eventbridge" and isinstance(pattern, dict) and isinstance(detail := pattern.get("detail"), dict):
        yield detail
    if isinstance(policy := settings.get("FilterPolicy"), dict) and settings.get("FilterPolicyScope") == "MessageBody":
        yield policy
    criteria = settings.get("FilterCriteria")
    for one in (criteria.get("Filters") or ()) if isinstance(criteria, dict) else ():
        try:
            pattern = json.loads(text_of(one.get("Pattern"), values) or "")
        except (AttributeError, ValueError):
            continue
        if not isinstance(pattern, dict):
            continue
        image = (pattern.get(_IMAGE[0]) or {}).get(_IMAGE[1]) if isinstance(pattern.get(_IMAGE[0]), dict) else None
        inner = _untyped(image) if isinstance(image, dict) else next((pattern[key] for key in _AROUND if key in pattern), None)
        if isinstance(inner, dict) and inner:
            yield inner


def fields_of_pattern(pattern: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns fields whose values a pattern lets through, as a scenario has them."""
    found: dict[str, dict[str, Any]] = {}
    for name, asked in pattern.items():
        if name == "$or" and isinstance(asked, list):
            found |= next((fields_of_pattern(one) for one in asked if isinstance(one, dict)), {})
        elif isinstance(name, str) and NAME.fullmatch(name):
            if isinstance(asked, dict) and (inner := fields_of_pattern(asked)):
                found[name] = {"type": "nested", "fields": inner}
            elif isinstance(asked, list) and (field := _field(name, asked)) is not None:
                found[name] = field
    return found


def merged(fields: Mapping[str, dict[str, Any]], asked: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the fields with those that a filter asks for."""
    return {**fields, **{name: _merged(fields.get(name), field) for name, field in asked.items()}}


def _merged(field: Mapping[str, Any] | None, asked: dict[str, Any]) -> dict[str, Any]:
    if field is not None and field.get("type") == asked["type"] == "nested":
        return {"type": "nested", "fields": merged(field["fields"], asked["fields"])}
    return asked


def _field(name: str, asked: list[Any]) -> dict[str, Any] | None:
    """Returns a field for the conditions of which one must hold; None where the field must not be there."""
    match asked:
        case [{"prefix": str() as prefix}]:
            return {"type": "uuid", "prefix": prefix}
        case [{"anything-but": _}]:
            return {"type": "choice", "of": ["another"]}
    known = [value for one in asked for value in _values(one)]
    if known:
        return {"type": "choice", "of": known}
    for one in asked:
        if isinstance(one, dict) and isinstance(one.get("numeric"), list):
            return _number(one["numeric"])
    return None if {"exists": False} in asked else guessed(name)


def _values(one: Any) -> Iterator[Any]:
    match one:
        case None | str() | int() | float():
            yield one
        case {"prefix": str() as prefix}:
            yield f"{prefix}1"
        case {"prefix": {"equals-ignore-case": str() as prefix}}:
            yield f"{prefix}1"
        case {"suffix": str() as suffix} | {"suffix": {"equals-ignore-case": str() as suffix}}:
            yield f"1{suffix}"
        case {"cidr": str() as network}:
            yield network.partition("/")[0]
        case {"equals-ignore-case": str() as text}:
            yield text
        case {"wildcard": str() as text}:
            yield text.replace("*", "1")


def _number(bounds: list[Any]) -> dict[str, Any] | None:
    """Returns a whole number within ["<", 5, ">=", 1]."""
    low, high = None, None
    for sign, bound in zip(bounds[::2], bounds[1::2], strict=False):
        if not isinstance(bound, int | float) or abs(bound) > _LARGEST:
            return None
        match sign, bound:
            case "=", int() | float():
                return {"type": "choice", "of": [bound]}
            case ((">" | ">="), int() | float()):
                low = int(bound // 1) + (sign == ">" or bound % 1 > 0)
            case (("<" | "<="), int() | float()):
                high = -int(-bound // 1) - (sign == "<" or -bound % 1 > 0)
    low = min(1, high) if low is None and high is not None else 1 if low is None else low
    return {"type": "int", "min": low, "max": low + 99 if high is None else high} if high is None or low <= high else None


def _untyped(image: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the pattern of an item's image without DynamoDB's types."""
    found: dict[str, Any] = {}
    for name, typed in image.items():
        match typed:
            case {"S": list() as asked} | {"BOOL": list() as asked}:
                found[name] = asked
            case {"N": list() as asked}:
                found[name] = [float(one) if isinstance(one, str) and _NUMBER.fullmatch(one) else one for one in asked]
            case {"M": dict() as inner}:
                found[name] = _untyped(inner)
    return found
