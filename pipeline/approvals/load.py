"""Synthetic price lists: CSV files of which a person approves some."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar

from harness.api import (
    CSV_FILE_FAULTS,
    CSV_MALFORMERS,
    TEXTS,
    CsvFormat,
    Draft,
    Entry,
    File,
    FileSet,
    FileSource,
    Malformed,
    NotEmpty,
    Variety,
    one_of,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from harness.api import Malformer, Record

COLUMNS = ("sku", "name", "price", "currency", "valid_from")
DECISIONS = ("approved", "rejected", "ignored", "twice", "forged", "opened")
"""What a person does about a list: its name says so, and the plan of the scenario's actor reads the name. Of these, the lists that are approved
once or twice are loaded."""
_LOADED = ("approved", "twice")


def bad_price(row: bytes, rng: random.Random) -> bytes:
    """Writes a price that is not a number, or that is negative, too long or too exact."""
    return _with(row, "price", rng.choice(["free", "-5.00", "12,50", "1e3", "NaN", "12.", "1234567890123", "0.12345"]))


def bad_currency(row: bytes, rng: random.Random) -> bytes:
    """Writes a currency that is no code."""
    return _with(row, "currency", rng.choice(["", "eur", "EURO", "€"]))


def _with(row: bytes, column: str, value: str) -> bytes:
    # On one line: a row of several could be ended by a parser at any of them.
    values = next(csv.reader([row.decode().replace("\n", " ")]))
    values[COLUMNS.index(column)] = value
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue().encode()


# An article's number may have letters: `wrong_type` spoils nothing here.
MALFORMERS: dict[str, Malformer] = {kind: malformer for kind, malformer in CSV_MALFORMERS.items() if kind != "wrong_type"} | {
    malformer.__name__: malformer for malformer in (bad_price, bad_currency)
}
KINDS = tuple(MALFORMERS)
VARIETY = Variety(
    {
        "sku": ("ordinary", "digits with leading zeros", "lower case", "beyond ASCII", "with blanks"),
        "name": ("ordinary", *TEXTS),
        "price": ("drawn", "whole", "nothing", "many digits"),
        "valid_from": ("drawn", "29 February", "31 December"),
    }
)
"""The classes of rows. All are valid, and must be stored with nothing changed."""

_NAMES = ("Oak table", "Lamp", 'Shelf "Nord"', "Chair, folding", "Désk")
_FIRST_DAY = date(2026, 1, 1)


class MalformedPrices(Malformed):
    """Spoils a share of the rows, by each of the kinds in turn (by all kinds where none are named)."""

    kinds: Annotated[tuple[Annotated[str, one_of(KINDS)], ...], NotEmpty] = KINDS


class PriceLists(FileSource):
    """Synthetic price lists. `decisions` go round the files."""

    malformed: MalformedPrices | None = None
    file_faults: tuple[Annotated[str, one_of(CSV_FILE_FAULTS)], ...] = ()
    decisions: Annotated[tuple[Annotated[str, one_of(DECISIONS)], ...], NotEmpty] = ("approved",)

    arrival_faults: ClassVar[tuple[str, ...]] = ()

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        """Returns the malformers whose rows are no prices."""
        return MALFORMERS

    def generated(self, seed: int, records: int) -> FileSet:
        """Returns the files of this seed."""
        of = (self.files, self.malformed, self.file_faults, "prices", "input/")
        return Decided(
            CsvFormat(COLUMNS, MALFORMERS), entries, seed, records, *of, variety=VARIETY, decisions=self.decisions
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Decided(FileSet):
    """Files of which some are not approved: none of their rows may be stored."""

    decisions: tuple[str, ...]

    def units(self) -> Iterator[File]:
        """Yields the files in their order, each with the decision in its name."""
        for number, file in enumerate(super().units()):
            decision = self.decisions[number % len(self.decisions)]
            name = f"{file.name.removesuffix('.csv')} {decision}.csv"
            named = replace(file, name=name, itself=file.itself and file.itself._replace(record_id=name))
            yield named if decision in _LOADED else replace(named, rows=partial(_not_loaded, file, f"its list is {decision}"))


def _not_loaded(file: File, why: str) -> Iterator[Record]:
    for record in file.rows():
        yield record._replace(promised=None, malformed=record.malformed or why, classes=(), rival=None)


def entries(draft: Draft) -> Iterator[Entry]:
    """Yields the rows of a file; no two of all files have one article and day."""
    rng = draft.rng
    for index in range(draft.count):
        classes = draft.varied[index].classes if index in draft.varied else VARIETY.ordinary
        # The number makes it another article than all others.
        sku = f"A-{draft.before + index:07d}"
        match classes["sku"]:
            case "digits with leading zeros":
                sku = f"00{draft.before + index}"
            case "lower case":
                sku = f"a-{draft.before + index:07d}x"
            case "beyond ASCII":
                sku = f"Ü-{draft.before + index}-品"
            case "with blanks":
                sku = f"A {draft.before + index}"
        price = {"whole": "15", "nothing": "0", "many digits": "123456789012.1234"}.get(
            classes["price"], f"{rng.randrange(1, 90_000) / 100:.2f}"
        )
        day = (_FIRST_DAY + timedelta(days=rng.randrange(365))).isoformat()
        day = {"29 February": "2028-02-29", "31 December": "2026-12-31"}.get(classes["valid_from"], day)
        values = (sku, TEXTS.get(classes["name"], rng.choice(_NAMES)), price, rng.choice(("EUR", "USD", "JPY")), day)
        yield Entry(f"{sku}/{day}", values, dict(zip(COLUMNS, values, strict=True)), draft.spoilt.get(index))
