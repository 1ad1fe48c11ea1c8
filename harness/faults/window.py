"""Which events of an address a fault meets: "3", "10-40", "1, 4-6", "every 5", "every 5 in 10-40", "20% in 1-50", "all".

Events are counted from 1, records from 0. A percentage is no chance: the fault's seed picks the same numbers every time.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

FORMS = '"3", "10-40", "1, 4-6", "every 5", "every 5 in 10-40", "20% in 1-50", "7 mod 50", "all"'

_COUNTED = 1_000_000

_RANGES = r"\d+(?:-\d+)?(?:\s*,\s*\d+(?:-\d+)?)*"
_FORM = re.compile(
    rf"(?:every (?P<every>\d+)|(?P<percent>\d+(?:\.\d+)?)%|(?P<rest>\d+) mod (?P<modulus>\d+)|(?P<all>all))(?: in (?P<within>{_RANGES}))?"
    rf"|(?P<plain>{_RANGES})"
)


@dataclass(frozen=True, slots=True)
class Window:
    """`ranges` bound the numbers, inclusive (none: unbounded); of those, each `every`-th, `percent` of them, or the class `rest` of
    `every`."""

    ranges: tuple[tuple[int, int], ...] = ()
    every: int = 1
    rest: int = 0
    percent: float = 100.0

    @classmethod
    def parse(cls, text: str) -> Window:
        """Raises ValueError, with the forms there are."""
        form = _FORM.fullmatch(text.strip())
        if form is None:
            raise ValueError(f"{text!r} names no events; expected a form such as {FORMS}")
        ranges = tuple(_range(part) for part in re.findall(r"\d+(?:-\d+)?", form["plain"] or form["within"] or ""))
        if any(first > last for first, last in ranges):
            raise ValueError(f"{text!r}: a range ends before it begins")
        every = int(form["every"] or form["modulus"] or 1)
        if every < 1:
            raise ValueError(f"{text!r}: there is no such step")
        percent = float(form["percent"] or 100)
        if not 0 < percent <= 100:
            raise ValueError(f"{text!r}: a share is above 0 % and at most 100 %")
        return cls(ranges, every, int(form["rest"] or 0) % every, percent)

    def holds(self, number: int, seed: str) -> bool:
        """Returns whether the fault meets event `number`; `seed` decides where the window is a share."""
        if self.ranges and not any(first <= number <= last for first, last in self.ranges):
            return False
        if number % self.every != self.rest:
            return False
        if self.percent == 100:
            return True
        draw = int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4])
        return draw < self.percent / 100 * 2**32

    def goes_on_after(self, number: int) -> bool:
        """Returns whether it holds every event from the next one on for a while: it had not come to its end."""
        is_every = self.every == 1 and self.percent == 100
        return is_every and (not self.ranges or any(first <= number + 1 <= last for first, last in self.ranges))

    def first(self) -> int:
        """Returns a number below which it holds no event."""
        return min((first for first, _ in self.ranges), default=self.rest)

    @property
    def is_out_of_reach(self) -> bool:
        """Returns whether no run comes to the first event that it holds."""
        return self.first() > _COUNTED

    def planned(self, seed: str) -> int | None:
        """Returns how many events it holds; None where it has no end, or an end that no run reaches."""
        if not self.ranges or sum(last - first + 1 for first, last in self.ranges) > _COUNTED:
            return None
        numbers = {number for first, last in self.ranges for number in range(first, last + 1)}
        return sum(self.holds(number, seed) for number in numbers)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)
