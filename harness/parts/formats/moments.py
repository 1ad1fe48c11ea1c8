"""Described fields that hold a day or a moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import to_json

from harness.parts.formats.base_field import BaseField, ordered
from harness.parts.part import NotEmpty

if TYPE_CHECKING:
    from harness.parts.formats.drawing import Draw, Drawing

_CLOCK = {"midnight": (0, 0, 0), "the last second": (23, 59, 59), "noon": (12, 0, 0), "evening": (21, 7, 9)}


class DateField(BaseField):
    """A day from `min` to `max`, written in `format` (strftime; ISO 8601 by default)."""

    type: Literal["date"]
    min: date = date(2025, 1, 1)
    max: date = date(2026, 12, 31)
    format: Annotated[str, Field(max_length=100)] = "%Y-%m-%d"

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        return ordered(self)

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        days = min((self.max - self.min).days + 1, 3660)
        return drawing.pool([(self.min + timedelta(days=day)).strftime(self.format) for day in range(days)])

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns the first and the last day, the last one of a year, and 29 February."""
        days = {"the first day": self.min, "the last day": self.max}
        for year in range(self.min.year, self.max.year + 1):
            ends = {"31 December": date(year, 12, 31)}
            if year % 4 == 0 and (year % 100 or year % 400 == 0):
                ends["29 February"] = date(year, 2, 29)
            for name, day in ends.items():
                if self.min <= day <= self.max:
                    days.setdefault(name, day)
        return {name: drawing.pool([day.strftime(self.format)]) for name, day in days.items()}


class DatetimeField(BaseField):
    """A moment from `min` to `max`, in ISO 8601 with milliseconds; `zones` are the offsets it is written in. With `format` (strftime) it is written in that form."""

    type: Literal["datetime"]
    min: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    max: datetime = datetime(2026, 12, 31, tzinfo=UTC)
    zones: Annotated[tuple[str, ...], NotEmpty] = ("Z",)
    format: Annotated[str, Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        for zone in self.zones:
            offset = datetime.fromisoformat(f"2026-01-01T00:00:00{zone}").tzinfo
            for bound in (self.min, self.max):
                try:
                    _aware(bound).astimezone(offset)
                except OverflowError:
                    raise ValueError(f"{bound} has no date in the zone {zone}") from None
        return ordered(self.model_copy(update={"min": _aware(self.min), "max": _aware(self.max)}))

    def draw(self, drawing: Drawing) -> Draw:
        """Returns the draw."""
        low_ms = int(_aware(self.min).timestamp() * 1000)
        span_ms = int(_aware(self.max).timestamp() * 1000) - low_ms + 1
        zones = [(zone, datetime.fromisoformat(f"2026-01-01T00:00:00{zone}").tzinfo) for zone in self.zones]
        pick, form = drawing.rng.random, self.format

        def one() -> str:
            moment_ms = low_ms + int(pick() * span_ms)
            zone, offset = zones[int(pick() * len(zones))] if len(zones) > 1 else zones[0]
            moment = datetime.fromtimestamp(moment_ms // 1000, tz=offset)
            if form is not None:
                return to_json(moment.replace(microsecond=moment_ms % 1000 * 1000).strftime(form)).decode()
            return f'"{moment:%Y-%m-%dT%H:%M:%S}.{moment_ms % 1000:03d}{zone}"'

        return one

    def edges(self, drawing: Drawing) -> dict[str, Draw]:
        """Returns midnight, the last second of a day, noon and an evening, in each zone; nothing where another form is asked for."""
        low, high = _aware(self.min), _aware(self.max)
        found: dict[str, Draw] = {}
        for zone in self.zones if high - low > timedelta(days=1) and self.format is None else ():
            day = low.astimezone(datetime.fromisoformat(f"2026-01-01T00:00:00{zone}").tzinfo) + timedelta(days=1)
            for name, clock in _CLOCK.items():
                moment = day.replace(hour=clock[0], minute=clock[1], second=clock[2], microsecond=0)
                if low <= moment <= high:
                    written = f"{moment:%Y-%m-%dT%H:%M:%S}.000{zone}"
                    found[name if len(self.zones) == 1 else f"{name} {zone}"] = drawing.pool([written])
        return found


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
