"""What all described fields have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harness.parts.part import Part, Share

if TYPE_CHECKING:
    from harness.parts.formats.drawing import Draw, Drawing


class _Ranged(Protocol):
    min: Any
    max: Any


AnyRange = TypeVar("AnyRange", bound=_Ranged)


class BaseField(Part):
    """A field of a described record."""

    null: Share = 0.0
    """The share of records in which the value is null."""

    def edges(self, drawing: Drawing) -> dict[str, Draw]:  # noqa: ARG002 - a field without classes needs nothing to draw from
        """Returns the draws of values that are allowed and not ordinary, by class."""
        return {}


def ordered(field: AnyRange) -> AnyRange:
    """Returns the field. Raises ValueError where its range is none."""
    if field.min > field.max:
        raise ValueError(f"min: {field.min} is more than max, which is {field.max}")
    return field
