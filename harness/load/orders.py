"""Synthetic orders: CSV files as the orders pipeline takes them, and the financial data that is looked up for them.

The columns are those of AWS's article on serverless batch processing. Some values hold commas, quotes and line ends, as real ones do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from faker import Faker

from harness.load.csv_files import CsvFiles
from harness.load.malformed_csv import CSV_MALFORMERS
from harness.load.synthetic_files import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = ("uuid", "Country", "Item Type", "Sales Channel", "Order Priority", "Order Date", "Region", "Ship Date")
FINANCIALS = ("unitsSold", "unitPrice", "unitCost", "totalRevenue", "totalCost", "totalProfit")
HEADER = ",".join(COLUMNS).encode() + b"\n"
UNKNOWN_KEY = "unknown_key"
"""A row whose financial data nobody has. Not a malformer: nothing is wrong with the row."""

ORDER_KINDS = (*CSV_MALFORMERS, UNKNOWN_KEY)

_POOL = 300
_FIRST_DAY = date(2010, 1, 1)
_DAYS = 5000


@dataclass(frozen=True)
class OrdersSource(CsvFiles):
    """See SyntheticFiles. Stored orders must keep every column, and have those of their uuid's financial data."""

    columns = COLUMNS
    name: str = "orders"

    def entries(self, file: int) -> Iterator[Entry]:
        """See SyntheticFiles."""
        for order, financials, spoilt in self._orders(file):
            stored = dict(zip((*COLUMNS, *FINANCIALS), (*order, *financials), strict=True))
            yield Entry(order[0], order, stored, spoilt)

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """The financial data of every order but those of which nobody has any."""
        for file in range(self.files):
            for order, financials, spoilt in self._orders(file):
                if spoilt != UNKNOWN_KEY:
                    yield {"uuid": order[0], **dict(zip(FINANCIALS, financials, strict=True))}

    def _orders(self, file: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str | None]]:
        """Each order's values, its financial data, and how it is spoilt. Keys are in no order."""
        rng = random.Random(f"{self.seed}/{file}")
        count = self.share(file)
        spoilt = self.spoilt(rng, count)
        countries, items, regions = _pools(self.seed)
        pick = rng.random
        # Distinct without a set of all: steps through the numbers of nine digits by one that shares no factor with them.
        key, step = rng.randrange(9 * 10**8), 611_953_897
        for index in range(count):
            key = (key + step) % (9 * 10**8)
            day = _FIRST_DAY + timedelta(days=int(pick() * _DAYS))
            shipped = day + timedelta(days=int(pick() * 50))
            units, price_c = 1 + int(pick() * 10_000), 900 + int(pick() * 66_000)
            cost_c = int(price_c * (0.4 + pick() * 0.5))
            order = (
                str(10**8 + key), countries[int(pick() * _POOL)], items[int(pick() * len(items))],
                "Online" if pick() < 0.5 else "Offline", "CHML"[int(pick() * 4)],
                f"{day.month}/{day.day}/{day:%y}", regions[int(pick() * len(regions))], f"{shipped.month}/{shipped.day}/{shipped:%y}",
            )  # fmt: skip
            money = (price_c, cost_c, units * price_c, units * cost_c, units * (price_c - cost_c))
            yield order, (str(units), *(f"{cents // 100}.{cents % 100:02d}" for cents in money)), spoilt.get(index)


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
