"""The orders' transforms: pure functions from bytes and values to bytes and values.

A row of the input names an order; what is sold of it, and for how much, is looked up by its uuid. Values are kept as text, as they
came: nothing is rounded, trimmed or written another way.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import pydantic_core
from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pipeline.files.failed_rows import FailedRow
from pipeline.files.rows import Row, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline.files.work import Work

COLUMNS = ("uuid", "Country", "Item Type", "Sales Channel", "Order Priority", "Order Date", "Region", "Ship Date")
FINANCIALS = ("unitsSold", "unitPrice", "unitCost", "totalRevenue", "totalCost", "totalProfit")

# A state machine's history has room for 25,000 events, and a chunk takes eight of them.
MAX_CHUNKS = 2500


def _date(value: str) -> str:
    datetime.strptime(value, "%m/%d/%y")  # noqa: DTZ007 - a day, nowhere in particular
    return value


Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Date = Annotated[str, AfterValidator(_date)]
_Order = TypedDict(  # the column names are no identifiers
    "_Order",
    {
        "uuid": Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")],
        "Country": Text,
        "Item Type": Text,
        "Sales Channel": Literal["Online", "Offline"],
        "Order Priority": Literal["C", "H", "M", "L"],
        "Order Date": Date,
        "Region": Text,
        "Ship Date": Date,
    },
)
_Order.__pydantic_config__ = ConfigDict(strict=True)  # type: ignore[attr-defined]
_order = TypeAdapter(_Order)


class Order(NamedTuple):
    """A valid row: where it stood, as it came, and its values in the order of COLUMNS (and of FINANCIALS, once they are known)."""

    line: int
    raw: bytes
    values: Sequence[str]

    @property
    def uuid(self) -> str:
        return self.values[0]


class Bounds(NamedTuple):
    """Of a chunk: how many rows and how many bytes it has at most. A row that is longer is a chunk by itself."""

    rows: int
    size: int


def chunks(of_rows: Iterable[Row], most: Bounds) -> Iterator[list[Row]]:
    """Yields the rows in chunks within the bounds, in order."""
    chunk: list[Row] = []
    size = 0
    for row in of_rows:
        length = len(row.raw) + 1
        if chunk and (len(chunk) == most.rows or size + length > most.size):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += length
    if chunk:
        yield chunk


def bounds(wanted: Bounds, of_file: Bounds) -> Bounds:
    """`wanted`, or more where a file of so many lines and bytes would make more than MAX_CHUNKS chunks: half of them end by their rows at most, and
    the others by their bytes, of which two have more than the bound together."""
    half = MAX_CHUNKS // 2
    return Bounds(max(wanted.rows, -(-of_file.rows // half)), max(wanted.size, -(-2 * of_file.size // (half - 1))))


def parse(chunk: Iterable[bytes], delimiter: str, first_line: int) -> tuple[list[Order], list[FailedRow]]:
    """Returns the valid orders of a chunk's lines, and the rows that are not orders. Total: every row is in exactly one of the two."""
    good: list[Order] = []
    bad: list[FailedRow] = []
    for row in rows(chunk, len(COLUMNS), delimiter, first_line):
        problem = row.problem or _invalid(row.fields)
        if problem is None:
            good.append(Order(row.line, row.raw, row.fields))
        else:
            bad.append(FailedRow(row.line, row.raw, problem))
    return good, bad


def _invalid(fields: Sequence[str]) -> str | None:
    try:
        _order.validate_python(dict(zip(COLUMNS, fields, strict=True)))
    except ValidationError as error:
        return "InvalidOrder: " + "; ".join(f"{d['loc'][0]}: {d['msg']}" for d in error.errors(include_url=False))
    return None


def enrich(orders: Iterable[Order], financials: Mapping[str, Mapping[str, str]]) -> tuple[list[Order], list[FailedRow]]:
    """Returns the orders with their financial data, and those without any as failed rows."""
    good: list[Order] = []
    bad: list[FailedRow] = []
    for order in orders:
        found = financials.get(order.uuid)
        missing = list(FINANCIALS) if found is None else [name for name in FINANCIALS if name not in found]
        if found is None or missing:
            why = "NoFinancials: no financial data of this uuid" if found is None else f"NoFinancials: without {', '.join(missing)}"
            bad.append(FailedRow(order.line, order.raw, why))
        else:
            good.append(Order(order.line, order.raw, (*order.values, *(found[name] for name in FINANCIALS))))
    return good, bad


def to_csv(rows_of_values: Iterable[Sequence[str]], delimiter: str) -> bytes:
    """CSV as RFC 4180 has it, but with line feeds; quotes where they are needed."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows_of_values)
    return text.getvalue().encode()


def output_key(work: Work) -> str:
    """Returns the key of the merged file."""
    return f"output/{work.stem}/{work.upload.run}.csv"


def header(delimiter: str) -> bytes:
    """Returns the first line of the merged file."""
    return to_csv([(*COLUMNS, *FINANCIALS)], delimiter)


def dump(orders: Iterable[Order]) -> bytes:
    """Orders on their way between two functions: one JSON array a line."""
    return b"".join(pydantic_core.to_json([order.line, order.raw.decode(), *order.values]) + b"\n" for order in orders)


def load(body: bytes) -> list[Order]:
    """Returns what `dump` wrote."""
    documents: Iterator[list[Any]] = (pydantic_core.from_json(line) for line in body.split(b"\n") if line)
    return [Order(document[0], document[1].encode(), document[2:]) for document in documents]
