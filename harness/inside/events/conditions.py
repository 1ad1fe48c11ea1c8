"""The conditions of event patterns and of filter policies, each against one value. Pure.

LocalStack raises where a text condition meets a number: the batch or the message stays where it is. Source:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from typing import Any

_COMPARED = {"=": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_OF_TEXT = {"prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"}


def matches(value: Any, condition: Any, *, field_exists: bool) -> bool:
    """Returns whether a JSON value meets a condition: a JSON value that it must be, or an object with an operator."""
    if not isinstance(condition, dict):
        return field_exists and _same(value, condition)
    if "exists" in condition:
        return bool(condition["exists"]) == field_exists
    if not field_exists:
        return False
    if "anything-but" in condition:
        return _is_other(value, condition["anything-but"])
    if "numeric" in condition:
        return _is_between(value, condition["numeric"])
    return any(_is_text(value, name, condition[name]) for name in _OF_TEXT & condition.keys())


def of_attribute(attribute: Any) -> list[Any]:
    """Returns the values of a message attribute of SNS: a number, a text, or the members of an array. Those of an array that is none are none."""
    kind = attribute.get("DataType") or attribute.get("Type")
    text = attribute.get("StringValue") or attribute.get("Value")
    if kind not in {"Number", "String.Array"}:
        return [text]
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return []
    return value if isinstance(value, list) else [value]


def _same(value: Any, wanted: Any) -> bool:
    # In Python True is 1.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _is_other(value: Any, excluded: Any) -> bool:
    if isinstance(excluded, dict):
        ((name, operands),) = excluded.items()
        return not any(_is_text(value, name, one) for one in (operands if isinstance(operands, list) else [operands]))
    return not any(_same(value, one) for one in (excluded if isinstance(excluded, list) else [excluded]))


def _is_between(value: Any, bounds: list[Any]) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return all(_COMPARED[name](value, float(bound)) for name, bound in zip(bounds[::2], bounds[1::2], strict=True))


def _is_text(value: Any, name: str, operand: Any) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(operand, dict):
        # {"prefix": {"equals-ignore-case": …}}
        return _is_text(value.lower(), name, str(operand["equals-ignore-case"]).lower())
    match name:
        case "prefix":
            return value.startswith(str(operand))
        case "suffix":
            return value.endswith(str(operand))
        case "equals-ignore-case":
            return value.lower() == str(operand).lower()
        case "wildcard":
            return re.fullmatch(re.escape(operand).replace(r"\*", ".*"), value, re.DOTALL) is not None
        case _:
            return _is_in_network(value, operand)


def _is_in_network(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network)
    except ValueError:
        return False


def problem(pattern: Any, name: str = "") -> str:
    """Returns what is wrong with an event pattern; empty where nothing is."""
    if isinstance(pattern, dict):
        if not pattern:
            return "Empty objects are not allowed"
        found = (_problem_of_or(inner) if key == "$or" else problem(inner, key) for key, inner in pattern.items())
        return next(filter(None, found), "")
    if not isinstance(pattern, list):
        return f'"{name}" must be an object or an array'
    if not pattern:
        return "Empty arrays are not allowed"
    return next(filter(None, map(_problem_of_condition, pattern)), "")


def _problem_of_or(patterns: Any) -> str:
    if not isinstance(patterns, list) or len(patterns) < 2:
        return '"$or" must be an array of at least two objects'
    return next(filter(None, (problem(one, "$or") for one in patterns)), "")


def _problem_of_condition(condition: Any) -> str:
    if isinstance(condition, list):
        return "Arrays within arrays are not allowed"
    if not isinstance(condition, dict):
        return ""
    if len(condition) != 1:
        return "Only one key allowed in match expression"
    ((name, operand),) = condition.items()
    if name == "exists":
        return "" if isinstance(operand, bool) else "exists match pattern must be either true or false."
    if name == "numeric":
        return "" if _is_numeric(operand) else "Value of numeric must be an array of comparisons with numbers."
    if name in _OF_TEXT or name == "anything-but":
        return ""
    return f"Unrecognized match type {name}"


def _is_numeric(bounds: Any) -> bool:
    return (
        isinstance(bounds, list)
        and len(bounds) in {2, 4}
        and all(sign in _COMPARED for sign in bounds[::2])
        and all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds[1::2])
    )
