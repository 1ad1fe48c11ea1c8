"""What a source yields: single records, and files of records. There is one way to offer both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.accounting.record import Answer, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class File:
    """A file of records: `head`, the records' payloads with `separator` between them, and an end.

    `rows` returns the records, and returns the same ones each time it is called: a file may be larger than the memory.
    Without a `tail` the file consists of lines, and `end` closes the last of them. With a `tail` it is a list that `tail` closes.
    A file without rows is a record itself: `itself` is that record, and something must show what became of it. `classes` are those of
    the file as a whole, besides the ordinary ones. `body` returns the file's bytes where the rows put together are not: it may be packed."""

    name: str
    rows: Callable[[], Iterator[Record]]
    head: bytes = b""
    separator: bytes = b"\n"
    end: bytes = b"\n"
    tail: bytes | None = None
    itself: Record | None = None
    classes: tuple[str, ...] = ()
    body: Callable[[], Iterable[bytes]] | None = None

    def records(self) -> Iterator[Record]:
        """Yields the records that the file stands for: its rows, or itself."""
        if self.itself is None:
            yield from self.rows()
        else:
            yield self.itself

    def parts(self) -> Iterator[bytes]:
        """Yields the file's bytes, a row at a time."""
        if self.itself is not None:
            yield self.itself.payload
            return
        if self.body is not None:
            yield from self.body()
            return
        yield self.head
        between, last = b"", b"-"
        for record in self.rows():
            last = record.payload
            yield between + last
            between = self.separator
        # An empty line that does not end would be none.
        end = self.end if last else self.end or self.separator
        yield end if self.tail is None else self.tail

    def places(self) -> Iterator[tuple[Record, int]]:
        """Yields each record with its place: the line on which it begins, from 1; in a list its index, from 0."""
        if self.itself is not None:
            yield self.itself, 0
            return
        of_lines = self.tail is None
        place = self.head.count(b"\n") + 1 if of_lines else 0
        for record in self.rows():
            yield record, place
            place += record.payload.count(b"\n") + 1 if of_lines else 1


Unit = Record | File
"""What an ingress hands over at once."""

Offer = tuple[Record, Answer]
"""A record, and what the first hop answered."""


def records(units: Iterable[Unit]) -> Iterator[Record]:
    """Yields the records of all units: an ingress that takes no files offers the rows of a file one by one."""
    for unit in units:
        if isinstance(unit, File):
            yield from unit.records()
        else:
            yield unit
