"""Rows of a CSV file (RFC 4180), read as a stream; every byte of the file belongs to exactly one row.

A row that is wrong never takes its neighbours with it: a quote that nothing closes spoils its own line only.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from pipeline.files.failed_files import FileRejectedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# A longer row is not plausible, and an item of DynamoDB could not keep it as an error.
MAX_ROW_BYTES = 256 * 1024
# A quoted field may hold line ends; a quote that is still open after so many lines was never meant to open.
MAX_ROW_LINES = 20


_LONE_RETURN = re.compile(r"\r(?!\n)")


class Row(NamedTuple):
    """`line` is where the row begins in the file, from 1; `raw` is all of it without its line end.

    `fields` are its values, and `problem` is None; or `fields` is empty, and `problem` says what is wrong."""

    line: int
    raw: bytes
    fields: Sequence[str]
    problem: str | None


def lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the lines of a file that comes in parts, without their line feeds. Raises FileRejectedError for one that is too long for a row."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield _bounded(line)
        _bounded(rest)
    if rest:
        yield rest


def _bounded(line: bytes) -> bytes:
    if len(line) > MAX_ROW_BYTES:
        message = f"NotCsv: a line of more than {MAX_ROW_BYTES} bytes"
        raise FileRejectedError(message)
    return line


def check_header(line: bytes | None, columns: Sequence[str], delimiter: str = ",") -> None:
    """Raises FileRejectedError where a file's first line (None: it has none) is not the header: names what was found and expected."""
    if line is None:
        raise FileRejectedError("EmptyFile: not a byte in it")
    try:
        found = [name.strip('"') for name in line.removeprefix(b"\xef\xbb\xbf").decode().rstrip("\r").split(delimiter)]
    except UnicodeDecodeError as error:
        raise FileRejectedError(f"NotCsv: the first line is no UTF-8 text (byte {error.start + 1})") from None
    if found != list(columns):
        hint = "; is the delimiter another one?" if len(found) == 1 else ""
        raise FileRejectedError(f"WrongHeader: {line[:200]!r}, expected {delimiter.join(columns)!r}{hint}")


def rows(of_lines: Iterable[bytes], columns: int, delimiter: str = ",", first_line: int = 1) -> Iterator[Row]:
    """Yields the rows of these lines, each with `columns` fields, or with what is wrong with it."""
    source, back = iter(of_lines), deque[bytes]()
    number = first_line
    while (line := _next(source, back)) is not None:
        taken = [line]
        # Within quotes a quote is doubled: an odd number of them leaves one open.
        quotes, size = line.count(b'"'), len(line)
        while quotes % 2 and len(taken) < MAX_ROW_LINES and size <= MAX_ROW_BYTES and (more := _next(source, back)) is not None:
            taken.append(more)
            quotes += more.count(b'"')
            size += len(more) + 1
        if len(taken) > 1 and (quotes % 2 or size > MAX_ROW_BYTES or not _is_csv(b"\n".join(taken), delimiter)):
            # Nothing closes the quote, or what does is another row's: this line alone is at fault.
            back.extendleft(reversed(taken[1:]))
            del taken[1:]
        yield _row(number, b"\n".join(taken), columns, delimiter)
        number += len(taken)


def _next(source: Iterator[bytes], back: deque[bytes]) -> bytes | None:
    return back.popleft() if back else next(source, None)


def _is_csv(raw: bytes, delimiter: str) -> bool:
    try:
        next(csv.reader([raw.decode(errors="replace").replace("\0", " ")], delimiter=delimiter, strict=True))
    except csv.Error:
        return False
    return True


def _row(number: int, raw: bytes, columns: int, delimiter: str) -> Row:
    raw = raw.removesuffix(b"\r")
    fields: Sequence[str] = ()
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return Row(number, raw, (), f"InvalidUtf8: byte {error.start + 1}")
    if _LONE_RETURN.search(text):
        return Row(number, raw, (), "CarriageReturn: one that is no part of a line end")
    if "\0" in text:
        return Row(number, raw, (), "NulByte: a byte that no text has")
    if '"' not in text:
        fields = text.split(delimiter)
    elif text.count('"') % 2:
        return Row(number, raw, (), "UnbalancedQuote: a quote that nothing closes")
    else:
        try:
            fields = next(csv.reader([text], delimiter=delimiter, strict=True))
        except csv.Error as error:
            return Row(number, raw, (), f"NotCsv: {error}")
    if len(fields) == columns:
        return Row(number, raw, fields, None)
    if not raw:
        return Row(number, raw, (), "EmptyRow: nothing between two line ends")
    kind = "ShortRow" if len(fields) < columns else "LongRow"
    return Row(number, raw, (), f"{kind}: {len(fields)} fields, expected {columns}")
