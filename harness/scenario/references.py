"""References in a scenario's strings: ${outputs.NAME}, ${account}, ${endpoint}, ${emulator.python_runtime}."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, TypeVar

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.parts.part import Part

AnyPart = TypeVar("AnyPart", bound="Part")
_REFERENCE = re.compile(r"\$\{([^}]+)\}")


def substitute(text: str, values: Mapping[str, str], where: str) -> str:
    """Returns the text with each ${name} replaced by its value. Raises UsageError, with the known names, for an unknown one."""

    def value(match: re.Match[str]) -> str:
        try:
            return values[match[1]]
        except KeyError:
            near = difflib.get_close_matches(match[1], values, n=3) or sorted(values)
            message = f"{where}: ${{{match[1]}}} is not known; there is {', '.join(near)}"
            raise UsageError(message) from None

    return _REFERENCE.sub(value, text)


def resolved(part: AnyPart, values: Mapping[str, str], where: str) -> AnyPart:
    """Returns the part with the references in all its strings replaced. Raises UsageError that names the key of an unknown one."""
    # A key that the file does not have stays unset: some parts tell it from a key that is null.
    document = part.model_dump(serialize_as_any=True, exclude_unset=True)
    return type(part).model_validate(_replaced(document, values, where))


def _replaced(value: Any, values: Mapping[str, str], where: str) -> Any:
    match value:
        case str():
            return substitute(value, values, where)
        case dict():
            return {name: _replaced(inner, values, f"{where}.{name}") for name, inner in value.items()}
        case list() | tuple():
            return [_replaced(inner, values, f"{where}.{place}") for place, inner in enumerate(value)]
        case _:
            return value
