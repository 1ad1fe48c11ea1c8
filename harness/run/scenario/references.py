"""References in a scenario's strings: ${outputs.NAME}, ${endpoint}, ${emulator.python_runtime}."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\{([^}]+)\}")


def substitute(text: str, values: Mapping[str, str], where: str) -> str:
    """Replaces ${name} by its value. Raises UsageError with the names there are for one that is not among them."""

    def value(match: re.Match[str]) -> str:
        try:
            return values[match[1]]
        except KeyError:
            near = difflib.get_close_matches(match[1], values, n=3) or sorted(values)
            message = f"{where}: ${{{match[1]}}} is not known; there is {', '.join(near)}"
            raise UsageError(message) from None

    return _REFERENCE.sub(value, text)
