"""Comparisons of conditions and filters: by type, and exact. moto compares what Python makes of the values: true is 1, binaries are texts,
numbers are rounded, and a text that is compared with a number raises.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

import base64
import operator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

_ORDERED = {"N", "S", "B"}
_ELEMENTS = {"SS": "S", "NS": "N", "BS": "B"}

Typed: TypeAlias = tuple[str, Any]


def typed(value: Any) -> Typed:
    """Returns type and comparable content of an attribute value: as JSON has it, or as moto does."""
    kind, content = next(iter(value.items())) if isinstance(value, dict) else (value.type, value.value)
    if kind == "N":
        return kind, Decimal(content)
    if kind == "B":
        return kind, content if isinstance(content, bytes) else base64.b64decode(content)
    if kind in _ELEMENTS:
        return kind, frozenset(typed({_ELEMENTS[kind]: one})[1] for one in content)
    if kind == "L":
        return kind, [typed(one) for one in content]
    if kind == "M":
        return kind, {name: typed(one) for name, one in content.items()}
    return kind, content


def of(operand: Any, item: Any) -> Typed | None:
    """Returns what an operand of moto's stands for in an item: a value, an attribute, or the size of one. None where there is none."""
    if hasattr(operand, "path"):
        attribute = operand._get_attr(item)  # noqa: SLF001
        return None if attribute is None else typed(attribute)
    if hasattr(operand, "attr"):
        return _size(of(operand.attr, item))
    return typed({operand.type: operand.value})


def _size(value: Typed | None) -> Typed | None:
    """Returns the size of a text, binary, set, list or map."""
    if value is None or value[0] in {"N", "BOOL", "NULL"}:
        return None
    return "N", Decimal(len(value[1]))


def equal(left: Any, right: Any, item: Any) -> bool:
    one, other = of(left, item), of(right, item)
    return one is not None and one == other


def ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Any], bool]:
    """Returns a comparison that holds for two values of one type that has an order."""

    def holds(left: Any, right: Any, item: Any) -> bool:
        one, other = of(left, item), of(right, item)
        return one is not None and other is not None and one[0] == other[0] and one[0] in _ORDERED and compare(one[1], other[1])

    return holds


at_most = ordered(operator.le)
COMPARISONS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "OpEqual": equal,
    "OpNotEqual": lambda left, right, item: not equal(left, right, item),
    "OpLessThan": ordered(operator.lt),
    "OpLessThanOrEqual": at_most,
    "OpGreaterThan": ordered(operator.gt),
    "OpGreaterThanOrEqual": ordered(operator.ge),
}
"""By the name of moto's class."""


def begins_with(attribute: Any, beginning: Any, item: Any) -> bool:
    one, other = of(attribute, item), of(beginning, item)
    return one is not None and other is not None and one[0] == other[0] in {"S", "B"} and one[1].startswith(other[1])


def contains(attribute: Any, operand: Any, item: Any) -> bool:
    """Whether a text has this part, or a set or list this element."""
    one, other = of(attribute, item), of(operand, item)
    if one is None or other is None:
        return False
    if one[0] in {"S", "B"}:
        return one[0] == other[0] and other[1] in one[1]
    if one[0] == "L":
        return other in one[1]
    return _ELEMENTS.get(one[0]) == other[0] and other[1] in one[1]
