"""The classes of a load's inputs: what real senders send besides the ordinary, written down, and drawn so that a small load has all of it.

A *dimension* is something in which records differ (how an id is written, what a text holds), and its classes are the ways; the first
is the ordinary one. Some records of a load are varied: together they have every pair of classes of two dimensions, as far as the
load has room for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from allpairspy import AllPairs

Dimensions = Mapping[str, tuple[str, ...]]

# At most one record in three is varied; a large load has every row twice.
_SHARE = 3
_ROUNDS = 2
_MOST_PAIRS = 4_000

TEXTS: Mapping[str, str] = {
    "a comma": "Smith, John",
    "quotes": 'the "first" one',
    "an apostrophe": "Côte d'Ivoire",
    "a line end": "two\nlines",
    "a line end of Windows": "two\r\nlines",
    "leading blanks": "  left",
    "trailing blanks": "right  ",
    "a tab": "a\tb",
    "a backslash": "C:\\new\\table",
    "beyond ASCII": "Grüße, 日本語, e\u0301",
    "beyond the first plane": "😀 𝔘",
    "markup": "<b>&amp;</b>",
    "like a number": "007",
    "like nothing": "NULL",
    "like a formula": "=1+1",
    "200 characters": "long " * 40,
}
"""What a text may hold, by class."""


class Row(NamedTuple):
    """How one record is varied: the class of each dimension, and the labels of those that are not ordinary."""

    classes: Mapping[str, str]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Variety:
    """The dimensions of a source."""

    dimensions: Dimensions

    @property
    def labels(self) -> tuple[str, ...]:
        """Returns all classes that are not ordinary, such as `userId: upper case`."""
        return tuple(f"{name}: {one}" for name, classes in self.dimensions.items() for one in classes[1:])

    @property
    def ordinary(self) -> dict[str, str]:
        """Returns the ordinary class of each dimension."""
        return {name: classes[0] for name, classes in self.dimensions.items()}

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Returns rows that have every pair of classes of two dimensions, the most unusual first."""
        names, classes = list(self.dimensions), list(self.dimensions.values())
        sizes = [len(of) for of in classes]
        if len(names) == 1 or (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2 > _MOST_PAIRS:
            # Too many pairs for any load: each class in its turn, beside others each time.
            of_rows = [
                [of[(row + row // len(of) * place) % len(of)] for place, of in enumerate(classes)] for row in range(2 * max(sizes))
            ]
        else:
            of_rows = [list(row) for row in AllPairs([list(of) for of in classes])]
        made = [dict(zip(names, row, strict=True)) for row in of_rows]
        rows = [Row(row, tuple(f"{name}: {one}" for name, one in row.items() if one != self.dimensions[name][0])) for row in made]
        return _new_first(rows)

    def placed(self, count: int, part: int = 0) -> dict[int, Row]:
        """Returns which of `count` records are varied, and how; `part` is the number of the file, from 0: each goes on where the one
        before ends."""
        rows = self.rows
        many = min(-(-count // _SHARE), _ROUNDS * len(rows))
        return {number * count // many: rows[(part * many + number) % len(rows)] for number in range(many)}


def _new_first(rows: list[Row]) -> tuple[Row, ...]:
    """Returns the rows in such an order that each has as many classes as possible that those before it have not."""
    left, seen, ordered = list(rows), set[str](), list[Row]()
    while left:
        best = max(left, key=lambda row: (len(set(row.labels) - seen), len(row.labels)))
        left.remove(best)
        seen.update(best.labels)
        ordered.append(best)
    return tuple(ordered)
