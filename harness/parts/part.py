"""What all parts of a scenario have in common: they are frozen, and an unknown key is an error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_RECORDS = 1_000_000_000

Records = Annotated[int, Field(gt=0, le=MOST_RECORDS)]
"""How many records a source makes."""

Files = Annotated[int, Field(gt=0, le=1_000_000)]
"""Over how many files a source spreads its records."""

MOST_SECONDS = 604_800
"""The longest time a scenario may name, one week: Python's timers fail on much larger numbers."""

Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]

Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A mapping of a scenario file. Its fields are the keys that the file may have there."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def one_of(names: Iterable[str]) -> Any:
    """Returns a validator that accepts one of the names, and names all of them where it refuses a value."""

    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"{value!r} is not one of {', '.join(names)}")
        return value

    return AfterValidator(check)


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("expected at least one item")
    return values


def _compiles(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression of Python."""

NotEmpty = AfterValidator(_not_empty)
"""Refuses an empty tuple. Unlike a minimal length, it says nothing where an item is wrong."""


def _beside(path: Path, info: ValidationInfo) -> Path:
    directory: Path | None = (info.context or {}).get("directory")
    try:
        return (directory / path).resolve() if directory else path
    except (OSError, RuntimeError) as error:
        # A RuntimeError: links that lead in a circle.
        raise ValueError(f"{str(path)[:200]!r} is no path of a file: {error}") from None


Beside = Annotated[Path, AfterValidator(_beside)]
"""A path that is relative to the scenario file. It is absolute once the scenario is loaded."""
