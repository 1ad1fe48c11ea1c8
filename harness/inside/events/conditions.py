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
