"""Lines of a file of the user's own: read one at a time, with a bound on each."""

from __future__ import annotations

import contextlib
import csv
import os
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from harness.documents import LONGEST_LINE, require_regular
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.parts.ports import SourceContext

MOST_BYTES = LONGEST_LINE
"""The rest of a longer line is skipped, not held."""

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


def input_of(context: SourceContext, path: Path | None) -> Path:
    """Returns the file of --input, else the scenario's. Raises UsageError where there is neither."""
    chosen = context.input_path or path
    if chosen is None:
        raise UsageError("this scenario replays a file: name it with --input FILE")
    return chosen


def lines(file: BinaryIO) -> Iterator[Line]:
    """Yields the lines of a file. Only line feeds end them."""
    number = 0
    while content := file.readline(MOST_BYTES + 1):
        number += 1
        whole = len(content) <= MOST_BYTES
        yield Line(number, content[:MOST_BYTES], whole)
        while not whole and not content.endswith(b"\n") and content:
            content = file.readline(MOST_BYTES)


@dataclass
class _Candidate:
    """A line that may begin a row, or go on with one. Where it ends is decided once: it may be asked for by every line before it."""

    line: Line

    @cached_property
    def opens(self) -> bool:
        """Returns whether a quote is open at its end, where none was at its beginning."""
        return self.quotes > 0 and _is_open(self.line.content)

    @cached_property
    def keeps_open(self) -> bool:
        """Returns whether a quote is open at its end, where one was at its beginning."""
        return self.quotes == 0 or _is_open(b'"' + self.line.content)

    @cached_property
    def quotes(self) -> int:
        return self.line.content.count(b'"')


def rows(file: BinaryIO) -> Iterator[Line]:
    """Yields the rows of a CSV file, its header first. A line whose quote is not closed within a bound is a row by itself."""
    waiting: deque[_Candidate] = deque()
    source = map(_Candidate, lines(file))
    while (first := waiting.popleft() if waiting else next(source, None)) is not None:
        if not first.opens:
            yield first.line
            continue
        taken, size, is_open = [first], len(first.line.content), True
        while is_open and taken[-1].line.whole and len(taken) < _MOST_LINES_OF_A_ROW and size < MOST_BYTES:
            if (one := waiting.popleft() if waiting else next(source, None)) is None:
                break
            taken.append(one)
            size += len(one.line.content)
            is_open = one.keeps_open
        # Within quotes they are doubled: where lines were joined, and a quote is left over, one of them opens what the sender never closed.
        if is_open or not taken[-1].line.whole or sum(one.quotes for one in taken) % 2:
            waiting.extendleft(reversed(taken[1:]))
            yield first.line._replace(whole=False)
        else:
            yield Line(first.line.number, b"".join(one.line.content for one in taken), whole=True)


def _is_open(content: bytes) -> bool:
    """Returns whether a quote is open at the end of a line of CSV."""
    unclosed = False

    def given() -> Iterator[str]:
        nonlocal unclosed
        # Quotes and commas are the same bytes in UTF-8.
        yield content.decode("latin-1")
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
