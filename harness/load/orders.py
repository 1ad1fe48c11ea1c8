"""Synthetic orders: CSV files as the orders pipeline takes them, and the financial data that is looked up for them.

The columns are those of AWS's article on serverless batch processing. Some values hold commas, quotes and line ends, as real ones do.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from faker import Faker
from pydantic_core import to_json

from harness.accounting.record import Record
from harness.load.files import Frame
from harness.load.malformed_csv import CSV_MALFORMERS, NOT_CSV

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
class OrdersSource:
    """`records` orders in `files` files of equal length, of which `malformed_share` (0 to 1) are spoilt, by the kinds in turn.

    `file_faults` spoil whole files, beginning with the last. Stored orders must keep every column, and have those of their uuid's
    financial data."""

    seed: int
    records: int
    files: int = 1
    malformed_share: float = 0.0
    malformed_kinds: Sequence[str] = ()
    file_faults: Sequence[str] = ()
    prefix: str = "input/"
    name: str = "orders"

    @property
    def total(self) -> int | None:
        return None if {"empty_file", "header_only"} & set(self.file_faults) else self.records

    def frame(self, name: str) -> Frame:
        """See FileSource."""
        match self._fault(self._names().index(name)):
            case "empty_file":
                return Frame(rows=False)
            case "header_only":
                return Frame(HEADER, rows=False)
            case "wrong_header":
                return Frame(HEADER.replace(b"uuid", b"orderId"))
            case "wrong_delimiter":
                return Frame(HEADER.replace(b",", b";"))
            case "not_csv":
                return Frame(NOT_CSV)
            case _:
                return Frame(HEADER)

    def __iter__(self) -> Iterator[Record]:
        names = self._names()
        number = 0
        for file, name in enumerate(names):
            fault = self._fault(file)
            if fault in {"empty_file", "header_only"}:
                yield Record(number, name, b"", name, None, fault)
                number += 1
                continue
            for record in self._rows(file):
                if fault:
                    payload = record.payload.replace(b",", b";") if fault == "wrong_delimiter" else record.payload
                    record = record._replace(payload=payload, promised=None, malformed=fault)  # noqa: PLW2901
                yield record._replace(number=number, partition_key=name)
                number += 1

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """The financial data of every order but those of which nobody has any."""
        for file in range(self.files):
            for order, financials, spoilt in self._orders(file):
                if spoilt != UNKNOWN_KEY:
                    yield {"uuid": order[0], **dict(zip(FINANCIALS, financials, strict=True))}

    def _names(self) -> list[str]:
        # Spaces and plus signs in keys are where notifications that nobody decodes are lost.
        return [f"{self.prefix}{self.name}{f' +{file + 1}' if self.files > 1 else ''}.csv" for file in range(self.files)]

    def _fault(self, file: int) -> str | None:
        behind = self.files - 1 - file
        return self.file_faults[behind] if behind < len(self.file_faults) else None

    def _rows(self, file: int) -> Iterator[Record]:
        for order, financials, spoilt in self._orders(file):
            row = ",".join(_quoted(value) for value in order).encode()
            if spoilt is None:
                promised = to_json(dict(zip((*COLUMNS, *FINANCIALS), (*order, *financials), strict=True)))
                yield Record(0, order[0], row, "", promised)
            elif spoilt == UNKNOWN_KEY:
                yield Record(0, order[0], row, "", None, spoilt)
            else:
                rng = random.Random(f"{self.seed}/{order[0]}")
                yield Record(0, order[0], CSV_MALFORMERS[spoilt](row, rng), "", None, spoilt)

    def _orders(self, file: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str | None]]:
        """Each order's values, its financial data, and how it is spoilt. Half of them share their key's first digits: nothing sorts."""
        rng = random.Random(f"{self.seed}/{file}")
        share = self.records // self.files
        count = share + (self.records % self.files if file == self.files - 1 else 0)
        spoilt = self._spoilt(rng, count)
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

    def _spoilt(self, rng: random.Random, count: int) -> dict[int, str]:
        """Which rows are spoilt, and how: the exact share, every kind as often as the others."""
        many = round(count * self.malformed_share)
        chosen = sorted(rng.sample(range(count), many)) if many else []
        kinds = list(self.malformed_kinds)
        return {index: kinds[number % len(kinds)] for number, index in enumerate(chosen)}


def _quoted(value: str) -> str:
    return f'"{value.replace(chr(34), chr(34) * 2)}"' if any(sign in value for sign in ',"\n') else value


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
