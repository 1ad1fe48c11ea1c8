"""Malformers of CSV rows: each spoils one row and leaves the rows beside it whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def short_row(row: bytes, rng: random.Random) -> bytes:
    """Removes one or more of the last columns."""
    fields = row.split(b",")
    return b",".join(fields[: rng.randrange(1, len(fields))])


def long_row(row: bytes, rng: random.Random) -> bytes:
    """Adds one column, or 32."""
    return row + b",x" * rng.choice([1, 32])


def unbalanced_quote(row: bytes, _rng: random.Random) -> bytes:
    """Opens a quote that nothing closes. Other quotes are removed first: two beside each other stand for one."""
    return row.replace(b'"', b"").replace(b",", b',"', 1)


def nul_byte(row: bytes, rng: random.Random) -> bytes:
    """Puts a NUL byte into the last column."""
    at = rng.randrange(row.rfind(b","), len(row)) + 1
    return row[:at] + b"\0" + row[at:]


def invalid_utf8(row: bytes, _rng: random.Random) -> bytes:
    """Appends a byte that UTF-8 does not have."""
    return row + b"\xff"


def missing_value(row: bytes, _rng: random.Random) -> bytes:
    """Empties the first column."""
    return row[row.index(b",") :]


def wrong_type(row: bytes, rng: random.Random) -> bytes:
    """Puts letters or a sign into the first column, where digits are expected."""
    return rng.choice([b"n/a", b"12e4", b"-1"]) + row[row.index(b",") :]


def bad_date(row: bytes, rng: random.Random) -> bytes:
    """Puts a day that does not exist into the last column, or writes it in another order."""
    return row[: row.rindex(b",") + 1] + rng.choice([b"2/30/14", b"31/12/14", b"2014-13-23", b"soon"])


def empty_row(_row: bytes, _rng: random.Random) -> bytes:
    """Leaves nothing between two line ends."""
    return b""


def _of_one_line(malformer: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, random.Random], bytes]:
    """Brings a row to one line before it is spoilt: a parser could end a spoilt row of several lines at any of them."""
    return lambda row, rng: malformer(row.replace(b"\n", b" "), rng)


CSV_MALFORMERS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    malformer.__name__: _of_one_line(malformer)
    for malformer in (
        short_row, long_row, unbalanced_quote, nul_byte, invalid_utf8, missing_value, wrong_type, bad_date, empty_row,
    )
}  # fmt: skip
