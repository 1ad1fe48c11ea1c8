"""Synthetic records: JSON files as the validate-transform-store pipeline takes them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from faker import Faker

from harness.load.files import Frame
from harness.load.malformed_csv import NOT_CSV
from harness.load.malformed_json import JSON_MALFORMERS
from harness.load.synthetic_files import Entry, SyntheticFiles

if TYPE_CHECKING:
    from collections.abc import Iterator

DUPLICATE_ID = "duplicate_id"
"""A record for which an earlier one has the id: the first counts. Not a malformer: nothing is wrong with the record."""

RECORD_KINDS = (*JSON_MALFORMERS, DUPLICATE_ID)

_POOL = 100
_UNITS = ("kWh", "m³", "°C", '\\ " /')


@dataclass(frozen=True)
class RecordsSource(SyntheticFiles):
    """See SyntheticFiles. Stored records must have every field, and ten times their value; numbers are told as text (see DynamoDbProbe)."""

    malformers = JSON_MALFORMERS
    without_records = frozenset({"empty_file", "no_records"})
    suffix = ".json"
    name: str = "records"

    def entries(self, file: int) -> Iterator[Entry]:
        """See SyntheticFiles."""
        rng = random.Random(f"{self.seed}/{file}")
        count = self.share(file)
        spoilt = self.spoilt(rng, count)
        fake = Faker(["en_US", "de_DE", "ja_JP"])
        fake.seed_instance(self.seed)
        places = [fake.city() for _ in range(_POOL)]
        earlier = ""
        for index in range(count):
            kind = spoilt.get(index)
            record_id = earlier if kind == DUPLICATE_ID else f"r{file:02d}-{index:07d}"
            earlier = record_id if kind is None else earlier
            hundredths = rng.randrange(-1_000_000, 1_000_000)
            # More digits than a binary number has room for; odd, so that none of them is a zero at the end.
            serial = rng.randrange(10**30, 10**31) * 2 + 1
            rest = {"unit": rng.choice(_UNITS), "tags": ["a", "", None, rng.random() < 0.5]}
            place = {"city": places[rng.randrange(_POOL)], "serial": serial}
            values = {"id": record_id, "value": hundredths / 100, "place": place, **rest}
            stored = {
                **values,
                "value": _text(Decimal(hundredths) / 100),
                "place": {**place, "serial": str(serial)},
                "transformed_value": _text(Decimal(hundredths) / 10),
            }
            yield Entry(record_id, values, stored, kind)

    def written(self, entry: Entry) -> bytes:
        """See SyntheticFiles."""
        # Every second one with escapes where it could have done without.
        return json.dumps(entry.values, ensure_ascii=entry.values["place"]["serial"] % 4 == 1).encode()

    def framed(self, fault: str | None) -> Frame:
        """See SyntheticFiles."""
        match fault:
            case "empty_file":
                return Frame(rows=False)
            case "no_records":
                return Frame(b'{"records": []}', rows=False)
            case "not_a_list":
                return Frame(b'{"rows": [', b",\n", tail=b"]}\n")
            case "not_json":
                return Frame(NOT_CSV, b",\n", tail=b"")
            case "cut_off":
                return Frame(b'{"records": [\n', b",\n", tail=b"")
            case _:
                return Frame(b'{"records": [\n', b",\n", tail=b"\n]}\n")


def _text(number: Decimal) -> str:
    return format(number.normalize(), "f") if number else "0"
