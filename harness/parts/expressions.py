"""Expressions in scenarios: `{{ unit_price * units }}`, in Jinja's sandbox.

Source: https://jinja.palletsprojects.com/en/stable/templates/#expressions
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator
from pydantic_core import to_json

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2.runtime import Context

_SINGLE = re.compile(r"\s*\{\{((?:(?!\}\}).)*)\}\}\s*", re.DOTALL)


_NO_VALUE = (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError)


class ExpressionError(UsageError):
    """The expression has no value for this record."""


# What makes text as long as a number says.
_GROWING = ("batch", "center", "filesizeformat", "format", "indent", "slice", "wordwrap", "xmlattr")
_WIDE = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(?:\d*\.)?(?:\*|\d{5})")
_WIDEST = 10_000
_MOST_BITS = 4096
_LONGEST = 1_000_000
_LONGEST_TEMPLATE = 10_000


class _Bounded(ImmutableSandboxedEnvironment):
    """A sandbox whose values stay small: a few characters of an expression may stand for gigabytes, or for hours."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False)
        for name in _GROWING:
            del self.filters[name]
        # Text without end, and loops within loops.
        for name in ("lipsum", "range"):
            del self.globals[name]

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Returns the value of an operation. Raises SecurityError where it is too much."""
        match operator, left, right:
            case "*", int(), int():
                bits = left.bit_length() + right.bit_length()
            case "**", int(), int():
                bits = left.bit_length() * max(right, 0)
            case "**", Decimal() | float(), _:
                bits = 0
            case "*", (str() | bytes() | list() | tuple()) as many, int(times):
                bits = 0 if len(many) * times <= _LONGEST else _MOST_BITS + 1
            case "*", int(times), (str() | bytes() | list() | tuple()) as many:
                bits = 0 if len(many) * times <= _LONGEST else _MOST_BITS + 1
            case "%", str(text), _ if _WIDE.search(text):
                raise SecurityError(f"{text[:200]!r} is too wide")
            case _:
                bits = 0
        if bits > _MOST_BITS:
            raise SecurityError(f"{operator} makes too much of it")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, called: Any, *args: Any, **kwargs: Any) -> Any:
        """Returns what a call returns. Raises SecurityError for a method of a text or a number that is given a width over _WIDEST."""
        widens = isinstance(getattr(called, "__self__", None), str | bytes | int)
        if widens and any(isinstance(one, int) and one > _WIDEST for one in (*args, *kwargs.values())):
            raise SecurityError(f"a text is at most {_WIDEST:,} wide")
        return super().call(context, called, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ARG002 - it is never needed
        """Returns None: str.format is no safe attribute here."""
        return None

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Returns whether an expression may use an attribute."""
        if isinstance(obj, str | bytes) and attr in {"expandtabs", "format", "format_map"}:
            return False
        return super().is_safe_attribute(obj, attr, value)


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = _Bounded()
    # Of a text: `{{ amount | decimal > 100 }}`. Jinja's own filters make a float of it, or 0.
    environment.filters["decimal"] = Decimal
    return environment


@functools.cache
def compiled(template: str) -> Callable[[Mapping[str, Any]], Any]:
    """Returns a function from a record's values to the template's value. Raises ValueError for what is not an expression."""
    if len(template) > _LONGEST_TEMPLATE:
        raise ValueError(f"an expression has at most {_LONGEST_TEMPLATE:,} characters")
    single = _SINGLE.fullmatch(template)
    try:
        if single:
            of_values: Callable[..., Any] = _environment().compile_expression(single[1], undefined_to_none=False)
        else:
            of_values = _environment().from_string(template).render
    except TemplateSyntaxError as error:
        raise ValueError(f"{template!r} is not an expression: {error.message}") from None
    except (SyntaxError, RecursionError, SecurityError, *_NO_VALUE) as error:
        # What Jinja makes of it is nested too deeply for Python, or has no value as it stands.
        raise ValueError(f"{template[:200]!r} is not an expression: {error}") from None

    def value(values: Mapping[str, Any]) -> Any:
        try:
            found = of_values(values)
            # An undefined value only complains when it is used.
            return str(found) if isinstance(found, StrictUndefined) else found
        except (UndefinedError, SecurityError, RecursionError, *_NO_VALUE) as error:
            raise ExpressionError(f"{template!r} has no value here: {error}") from None

    return value


def _is_expression(text: str) -> str:
    if not _SINGLE.fullmatch(text):
        raise ValueError(f"{text!r} is not an expression: expected {{{{ … }}}}")
    compiled(text)
    return text


Filter = Annotated[str, AfterValidator(_is_expression)]
"""An expression that is true for the records that a rule of the pipeline drops, such as `{{ amount <= 100 }}`."""


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
