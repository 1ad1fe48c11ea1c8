"""The transforms of price lists, and the signatures of the links by which a person decides: pure functions.

A row says what an article costs from a day on: sku, name, price, currency, valid_from.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import urlencode

from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pipeline.files.failed_rows import FailedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.files.rows import Row

COLUMNS = ("sku", "name", "price", "currency", "valid_from")
KEY = ("sku", "valid_from")
DECISIONS = ("approve", "reject")
# DynamoDB keeps 38 digits of a number; a price of more than twelve is a mistake.
_PRICE = re.compile(r"\d{1,12}(\.\d{1,4})?", re.ASCII)


def _price(value: str) -> str:
    if not _PRICE.fullmatch(value):
        raise ValueError("expected a number such as 12.50")
    return value


def _day(value: str) -> str:
    if date.fromisoformat(value).isoformat() != value:
        # As a week, or without dashes: the same day would have two keys.
        raise ValueError("expected a day such as 2026-01-31")
    return value


class _Price(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    sku: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    name: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    price: Annotated[str, AfterValidator(_price)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    valid_from: Annotated[str, StringConstraints(min_length=10, max_length=10), AfterValidator(_day)]


_adapter = TypeAdapter(_Price)


class Price(NamedTuple):
    """A valid row: where it stood, as it came, and its values in the order of COLUMNS."""

    line: int
    raw: bytes
    values: Sequence[str]

    @property
    def key(self) -> tuple[str, str]:
        return self.values[0], self.values[4]

    def document(self, upload_id: str) -> dict[str, Any]:
        """Returns the row as the lake has it."""
        return {**dict(zip(COLUMNS, self.values, strict=True)), "upload": upload_id, "line": self.line}

    def item(self, upload_id: str) -> dict[str, Any]:
        """Returns the table's item: the values as texts, and which row of which upload they are."""
        values = {name: {"S": value} for name, value in zip(COLUMNS, self.values, strict=True)}
        return {**values, "upload": {"S": upload_id}, "line": {"N": str(self.line)}}


def sort_out(rows: Iterable[Row]) -> tuple[list[Price], list[FailedRow]]:
    """Returns the rows that are prices, and the others. Of two rows with one key the first counts. Total: every row is in exactly one of the two."""
    good: list[Price] = []
    bad: list[FailedRow] = []
    known = set[tuple[str, str]]()
    for row in rows:
        problem = row.problem or _invalid(row.fields)
        price = Price(row.line, row.raw, row.fields)
        if problem is None and price.key in known:
            problem = f"DuplicateKey: an earlier row of the file has {' '.join(KEY)} {' '.join(price.key)!r}"
        if problem is None:
            known.add(price.key)
            good.append(price)
        else:
            bad.append(FailedRow(row.line, row.raw, problem))
    return good, bad


def _invalid(fields: Sequence[str]) -> str | None:
    try:
        _adapter.validate_python(dict(zip(COLUMNS, fields, strict=True)))
    except ValidationError as error:
        return "InvalidPrice: " + "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors(include_url=False))
    return None


def dump(prices: Iterable[Price]) -> bytes:
    """Returns prices on their way between two functions: one JSON value a line."""
    return b"".join(json.dumps([price.line, price.raw.decode(), *price.values]).encode() + b"\n" for price in prices)


def load(body: bytes) -> list[Price]:
    """Returns what `dump` wrote."""
    of_lines = [json.loads(line) for line in body.split(b"\n") if line]
    return [Price(line, raw.encode(), values) for line, raw, *values in of_lines]


def link(url: str, key: bytes, token: str, decision: str) -> str:
    """Returns the link by which a person decides about the task with this token."""
    return f"{url}?{urlencode({'token': token, 'decision': decision, 'signature': _signature(key, token, decision)})}"


def is_signed(key: bytes, token: str, decision: str, signature: str) -> bool:
    """Returns whether a link is one that `link` made: with this token, for this decision."""
    return decision in DECISIONS and hmac.compare_digest(_signature(key, token, decision).encode(), signature.encode())


def _signature(key: bytes, token: str, decision: str) -> str:
    return hmac.new(key, f"{decision}\n{token}".encode(), hashlib.sha256).hexdigest()
