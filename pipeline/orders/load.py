"""Synthetic orders: CSV files as the orders pipeline takes them, and the financial data that it looks up for them.

The columns are those of AWS's article on serverless batch processing. Some values hold commas, quotes and line ends, as real ones do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from faker import Faker

from harness.api import (
    CSV_FILE_FAULTS,
    CSV_MALFORMERS,
    DUPLICATE,
    TEXTS,
    CsvFormat,
    Draft,
    Entry,
    FileSet,
    FileSource,
    Malformed,
    NotEmpty,
    Variety,
    one_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.api import Malformer

COLUMNS = ("uuid", "Country", "Item Type", "Sales Channel", "Order Priority", "Order Date", "Region", "Ship Date")
FINANCIALS = ("unitsSold", "unitPrice", "unitCost", "totalRevenue", "totalCost", "totalProfit")
VARIETY = Variety(
    {
        "uuid": ("nine digits", "leading zeros", "a few digits", "32 digits"),
        "text": ("ordinary", *TEXTS),
        "text stands in": ("Country", "Item Type", "Region"),
        "days": ("written short", "with leading zeros", "29 February", "31 December"),
    }
)
"""The classes of orders. All are valid, and must be stored with nothing changed."""

UNKNOWN_KEY = "unknown_key"
"""Leaves out the row's financial data. The row itself is well formed, so this kind is not a malformer."""

KINDS = (*CSV_MALFORMERS, UNKNOWN_KEY)

_POOL = 300
_FIRST_DAY = date(2010, 1, 1)
_DAYS = 5000


class MalformedOrders(Malformed):
    """Spoils a share of the rows, by each of the kinds in turn (by all kinds where none are named)."""

    kinds: Annotated[tuple[Annotated[str, one_of(KINDS)], ...], NotEmpty] = KINDS


class Orders(FileSource):
    """Synthetic orders. Stored orders must keep every column, and have those of their uuid's financial data."""

    arrival_faults: ClassVar[tuple[str, ...]] = (DUPLICATE,)

    malformed: MalformedOrders | None = None
    file_faults: tuple[Annotated[str, one_of(CSV_FILE_FAULTS)], ...] = ()

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        """Returns the malformers of CSV rows."""
        return CSV_MALFORMERS

    def generated(self, seed: int, records: int) -> OrderFiles:
        """Returns the files of this seed."""
        form = CsvFormat(COLUMNS)
        return OrderFiles(form, entries, seed, records, self.files, self.malformed, self.file_faults, "orders", variety=VARIETY)


@dataclass(frozen=True)
class OrderFiles(FileSet):
    """Files of orders, with the financial data for their rows."""

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """Yields the orders' financial data, leaving out those under `unknown_key`."""
        for file in range(self.files):
            for order, financials, spoilt in _orders(self.draft(file)):
                if spoilt != UNKNOWN_KEY:
                    yield {"uuid": order[0], **dict(zip(FINANCIALS, financials, strict=True))}


def entries(draft: Draft) -> Iterator[Entry]:
    """Yields the orders of a file."""
    for order, financials, spoilt in _orders(draft):
        stored = dict(zip((*COLUMNS, *FINANCIALS), (*order, *financials), strict=True))
        yield Entry(order[0], order, stored, spoilt)


def _orders(draft: Draft) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str | None]]:
    """Yields each order's values, its financial data, and how it is spoilt. Keys are in no order."""
    rng = draft.rng
    countries, items, regions = _pools(draft.seed)
    pick = rng.random
    # Keys are distinct without a set of all: each step through the numbers of nine digits shares no factor with them.
    step = 611_953_897
    key = (random.Random(f"{draft.seed}/keys").randrange(9 * 10**8) + step * draft.before) % (9 * 10**8)
    for index in range(draft.count):
        key = (key + step) % (9 * 10**8)
        day = _FIRST_DAY + timedelta(days=int(pick() * _DAYS))
        shipped = day + timedelta(days=int(pick() * 50))
        units, price_c = 1 + int(pick() * 10_000), 900 + int(pick() * 66_000)
        cost_c = int(price_c * (0.4 + pick() * 0.5))
        order: tuple[str, ...] = (
            str(10**8 + key), countries[int(pick() * _POOL)], items[int(pick() * len(items))],
            "Online" if pick() < 0.5 else "Offline", "CHML"[int(pick() * 4)],
            f"{day.month}/{day.day}/{day:%y}", regions[int(pick() * len(regions))], f"{shipped.month}/{shipped.day}/{shipped:%y}",
        )  # fmt: skip
        if index in draft.varied:
            order = _varied(order, draft.varied[index].classes, f"{draft.before + index:05d}")
        money = (price_c, cost_c, units * price_c, units * cost_c, units * (price_c - cost_c))
        yield order, (str(units), *(f"{cents // 100}.{cents % 100:02d}" for cents in money)), draft.spoilt.get(index)


def _varied(order: tuple[str, ...], classes: Mapping[str, str], number: str) -> tuple[str, ...]:
    """Returns the order in the ways of its classes; `number` is its own."""
    values = dict(zip(COLUMNS, order, strict=True))
    match classes["uuid"]:
        case "leading zeros":
            values["uuid"] = f"000{values['uuid']}"
        case "a few digits":
            values["uuid"] = number
        case "32 digits":
            values["uuid"] = f"{values['uuid']}{'7' * 23}"
    if classes["text"] in TEXTS:
        values[classes["text stands in"]] = TEXTS[classes["text"]]
    match classes["days"]:
        case "with leading zeros":
            values |= {"Order Date": "01/05/14", "Ship Date": "02/03/14"}
        case "29 February":
            values |= {"Order Date": "2/29/12", "Ship Date": "3/1/12"}
        case "31 December":
            values |= {"Order Date": "12/31/99", "Ship Date": "1/1/00"}
    return tuple(values.values())


def _pools(seed: int) -> tuple[list[str], list[str], list[str]]:
    fake = Faker(["en_US", "de_DE", "ja_JP"])
    fake.seed_instance(seed)
    countries = [fake.country() for _ in range(_POOL - 3)]
    countries += ["Bonaire, Sint Eustatius and Saba", 'Côte d\'Ivoire ("Ivory Coast")', "São Tomé\nand Príncipe"]
    items = [
        "Baby Food",
        "Beverages",
        "Cereal",
        "Clothes",
        "Cosmetics",
        "Fruits",
        "Household",
        "Meat",
        "Snacks",
        "Vegetables, frozen",
    ]
    regions = ["Asia", "Australia and Oceania", "Central America and the Caribbean", "Europe", "Middle East and North Africa"]
    return countries, items, [*regions, "North America", "Sub-Saharan Africa"]
