"""Malformers of CSV rows: each spoils one row in its own way, and no other. None of what they make is a valid order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


def short_row(row: bytes, rng: random.Random) -> bytes:
    """One or more of the last columns are not there."""
    fields = row.split(b",")
    return b",".join(fields[: rng.randrange(1, len(fields))])


def long_row(row: bytes, rng: random.Random) -> bytes:
    """A column too many, or forty."""
    return row + b",x" * rng.choice([1, 32])


def unbalanced_quote(row: bytes, _rng: random.Random) -> bytes:
    """A quote that nothing closes; alone, as two beside each other are one inside a text."""
    return row.replace(b'"', b"").replace(b",", b',"', 1)


def nul_byte(row: bytes, rng: random.Random) -> bytes:
    """A byte that no text has."""
    at = rng.randrange(row.rindex(b","), len(row)) + 1
    return row[:at] + b"\0" + row[at:]


def invalid_utf8(row: bytes, _rng: random.Random) -> bytes:
    """A byte that UTF-8 does not have."""
    return row + b"\xff"


def missing_value(row: bytes, _rng: random.Random) -> bytes:
    """Nothing where the key should be."""
    return row[row.index(b",") :]


def wrong_type(row: bytes, rng: random.Random) -> bytes:
    """Letters where the key has digits."""
    return rng.choice([b"n/a", b"12e4", b"-1"]) + row[row.index(b",") :]


def bad_date(row: bytes, rng: random.Random) -> bytes:
    """A day that there is not in the last column, or the day first."""
    return row[: row.rindex(b",") + 1] + rng.choice([b"2/30/14", b"31/12/14", b"2014-13-23", b"soon"])


def empty_row(_row: bytes, _rng: random.Random) -> bytes:
    """Nothing between two line ends."""
    return b""


def _of_one_line(malformer: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, random.Random], bytes]:
    """Where a spoilt row of several lines would end, nobody can say: it is brought to one line first."""
    return lambda row, rng: malformer(row.replace(b"\n", b" "), rng)


CSV_MALFORMERS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    malformer.__name__: _of_one_line(malformer)
    for malformer in (
        short_row, long_row, unbalanced_quote, nul_byte, invalid_utf8, missing_value, wrong_type, bad_date, empty_row,
    )
}  # fmt: skip

NOT_CSV = b"%PDF-1.7\n\xe2\xe3\xcf\xd3\n"

CSV_FILE_FAULTS = ("empty_file", "header_only", "wrong_header", "wrong_delimiter", "not_csv")
"""What may be wrong with a whole file."""
