"""Sources of files: records that are the rows of files, and what stands around them there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from harness.load.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.accounting.record import Record


@dataclass(frozen=True, slots=True)
class Frame:
    """A file is `head`, its rows with `separator` between them, and `tail`. Where that is None the file is one of lines, and ends with
    `end`; otherwise it is a list.

    A file without rows is a record of its own: what is offered is the file itself, and somebody must say what became of it."""

    head: bytes = b""
    separator: bytes = b"\n"
    end: bytes = b"\n"
    tail: bytes | None = None
    rows: bool = True

    def parts(self, records: Iterable[Record]) -> Iterator[bytes]:
        """The file, a row at a time."""
        yield self.head
        if self.rows:
            between = b""
            for record in records:
                yield between + record.payload
                between = self.separator
            yield self.end if self.tail is None else self.tail

    def numbers(self, records: Iterable[Record]) -> Iterator[tuple[Record, int]]:
        """Each record with where it is in the file: the line on which it begins, from 1; in a list its place there, from 0."""
        of_lines = self.tail is None
        number = self.head.count(b"\n") + 1 if self.rows and of_lines else 0
        for record in records:
            yield record, number
            number += record.payload.count(b"\n") + 1 if of_lines else 1


class FileSource(Source, Protocol):
    """Its records come file by file: `partition_key` is the name of the file that a record is in."""

    def frame(self, name: str) -> Frame:
        """What stands around the rows of a file."""
        ...

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """The items that the pipeline looks up for the rows; none where nothing is looked up."""
        ...
