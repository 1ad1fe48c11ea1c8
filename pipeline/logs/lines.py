"""Lines of a file that comes in parts, in constant memory: each with its number and its place in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LINE_BYTES = 1024 * 1024
"""A longer line is not held in memory. It is malformed, and the dead-letter bucket takes its bytes."""
BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end. `number` counts from 1; `offset` and `length` are bytes of the unpacked file; `content` is None where the
    line is too long to be held."""

    number: int
    offset: int
    length: int
    content: bytes | None


class Place(NamedTuple):
    """Where the reading of a file begins: a line and its first byte, and the number of the part that the line begins."""

    line: int = 1
    offset: int = 0
    part: int = 1


def lines(parts: Iterable[bytes], start: Place) -> Iterator[Line]:
    """Yields the lines of a file whose bytes from `start` on are `parts`. Only line feeds end lines; a carriage return before one is a part of the
    end. A byte order mark before the first line is no part of it."""
    number, offset, length = start.line, start.offset, 0
    held: list[bytes] | None = []
    last = b""
    for part in parts:
        pieces = part.split(b"\n")
        for place, piece in enumerate(pieces):
            length += len(piece)
            last = piece or last
            if length > MAX_LINE_BYTES + len(BOM) + 1:
                held = None
            elif held is not None:
                held.append(piece)
            if place < len(pieces) - 1:
                yield _line(number, offset, length - last.endswith(b"\r"), held)
                number, offset, length, held, last = number + 1, offset + length + 1, 0, [], b""
    if length:
        yield _line(number, offset, length - last.endswith(b"\r"), held)


def _line(number: int, offset: int, length: int, held: list[bytes] | None) -> Line:
    if held is None:
        return Line(number, offset, length, None)
    content = b"".join(held)[:length]
    if number == 1 and content.startswith(BOM):
        content, offset = content.removeprefix(BOM), offset + len(BOM)
    return Line(number, offset, len(content), content if len(content) <= MAX_LINE_BYTES else None)
