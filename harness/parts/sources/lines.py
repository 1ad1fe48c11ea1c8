"""Lines of a file of the user's own: read one at a time, with a bound on each."""

from __future__ import annotations

import contextlib
import csv
import os
from collections import deque
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from harness.documents import require_regular
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MOST_BYTES = 10 << 20
"""Of a line, and of a row of CSV: what Kinesis takes as one record at most. The rest of a longer line is skipped, not held."""

# A quote that is still open after so many lines was never meant to open.
_MOST_LINES_OF_A_ROW = 200

# Python refuses fields of more than 128 KiB by default.
csv.field_size_limit(MOST_BYTES)


class Line(NamedTuple):
    """A line with its end, or a row of several lines. `number` is that of its first line, from 1; `whole` is False where it was too long, or where a quote
    opens in it that nothing closes."""

    number: int
    content: bytes
    whole: bool


def lines(file: BinaryIO) -> Iterator[Line]:
    """Yields the lines of a file. Only line feeds end them."""
    number = 0
    while content := file.readline(MOST_BYTES + 1):
        number += 1
        whole = len(content) <= MOST_BYTES
        yield Line(number, content[:MOST_BYTES], whole)
        while not whole and not content.endswith(b"\n") and content:
            content = file.readline(MOST_BYTES)


def rows(file: BinaryIO) -> Iterator[Line]:
    """Yields the rows of a CSV file, its header first. A line whose quote is not closed within a bound is a row by itself."""
    waiting: deque[Line] = deque()
    source = lines(file)
    while (first := waiting.popleft() if waiting else next(source, None)) is not None:
        taken = [first]
        asked = _asks_for_more(taken, lambda: waiting.popleft() if waiting else next(source, None))
        content = b"".join(one.content for one in taken)
        # Within quotes they are doubled: where lines were joined, and a quote is left over, one of them opens what the sender never closed.
        if asked or not taken[-1].whole or (len(taken) > 1 and content.count(b'"') % 2):
            waiting.extendleft(reversed(taken[1:]))
            yield first._replace(whole=False)
        else:
            yield Line(first.number, content, whole=True)


def _asks_for_more(taken: list[Line], more: Callable[[], Line | None]) -> bool:
    """Reads a row that begins with the line that is taken, and takes the others that it has. Returns whether a quote is still open after them."""
    unclosed = False

    def given() -> Iterator[str]:
        nonlocal unclosed
        # Quotes and commas are the same bytes in UTF-8.
        yield taken[0].content.decode("latin-1")
        size = len(taken[0].content)
        while taken[-1].whole and len(taken) < _MOST_LINES_OF_A_ROW and size < MOST_BYTES and (line := more()) is not None:
            taken.append(line)
            size += len(line.content)
            yield line.content.decode("latin-1")
        unclosed = True

    with contextlib.suppress(csv.Error, StopIteration):
        next(csv.reader(given()))
    return unclosed


def header_of(path: Path, option: str) -> list[str]:
    """Returns the columns of a CSV file; a byte order mark is none. `option` names the file in messages.

    Raises UsageError where there is no header that can be read."""
    require_regular(path, option)
    try:
        with path.open("rb") as file:
            first = next(rows(file), None)
        # A row further down may hold bytes that are not UTF-8: they concern that row alone.
        header = next(csv.reader([first.content.decode("utf-8-sig")]), []) if first is not None and first.whole else None
    except OSError as error:
        raise UsageError(f"{option} {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{option} {path} is not CSV: {error}") from error
    if header is None and first is not None:
        raise UsageError(f"{option} {path} is not CSV: its first line is too long, or a quote that opens in it is not closed")
    if not header:
        raise UsageError(f"{option} {path} is empty: there is no row to offer")
    return header


def ends_with_a_line_feed(path: Path) -> bool:
    """Returns whether the last line of a file that is not empty has an end."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
