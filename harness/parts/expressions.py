"""Expressions in scenarios: `{{ unit_price * units }}`, in Jinja's sandbox.

Source: https://jinja.palletsprojects.com/en/stable/templates/#expressions
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic_core import to_json

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SINGLE = re.compile(r"\s*\{\{((?:(?!\}\}).)*)\}\}\s*", re.DOTALL)


class ExpressionError(UsageError):
    """The expression has no value for this record."""


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


@functools.cache
def compiled(template: str) -> Callable[[Mapping[str, Any]], Any]:
    """Returns a function from a record's values to the template's value. Raises ValueError for what is not an expression."""
    single = _SINGLE.fullmatch(template)
    try:
        if single:
            of_values: Callable[..., Any] = _environment().compile_expression(single[1], undefined_to_none=False)
        else:
            of_values = _environment().from_string(template).render
    except TemplateSyntaxError as error:
        raise ValueError(f"{template!r} is not an expression: {error.message}") from None

    def value(values: Mapping[str, Any]) -> Any:
        try:
            found = of_values(values)
            # An undefined value only complains when it is used.
            return str(found) if isinstance(found, StrictUndefined) else found
        except (UndefinedError, SecurityError, ArithmeticError, TypeError, ValueError) as error:
            raise ExpressionError(f"{template!r} has no value here: {error}") from None

    return value


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Returns the template with the expressions in all its strings replaced. Raises ExpressionError where one has no value."""
    match template:
        case dict():
            return {name: filled(inner, values) for name, inner in template.items()}
        case list() | tuple():
            return [filled(inner, values) for inner in template]
        case str() if "{{" in template:
            return compiled(template)(values)
        case _:
            return template


def plain(value: Any) -> Any:
    """Returns a value as JSON has it: a decimal becomes a number."""
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            raise ExpressionError(f"an expression gives a {type(value).__name__}, which JSON does not have")


def written_value(template: str, values: Mapping[str, Any]) -> str:
    """Returns the value of an expression as JSON text. Raises ExpressionError where it has none, or one that JSON does not have."""
    return to_json(plain(compiled(template)(values))).decode()
