"""What synthetic CSV files share: equal shares of the rows, rows that are spoilt, and files that are spoilt as a whole."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pydantic_core import to_json

from harness.accounting.record import Record
from harness.load.files import Frame
from harness.load.malformed_csv import CSV_MALFORMERS, NOT_CSV

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Entry(NamedTuple):
    """One row: its id, its values in the order of the columns, and what is found of it where it is stored (None: it must not be).

    `spoilt` names what is wrong with it."""

    record_id: str
    values: Sequence[str]
    stored: Mapping[str, str] | None
    spoilt: str | None


@dataclass(frozen=True)
class CsvFiles(ABC):
    """`records` rows in `files` files of equal length, of which `malformed_share` (0 to 1) are spoilt, by the kinds in turn.

    `file_faults` spoil whole files, beginning with the last."""

    columns: ClassVar[tuple[str, ...]]

    seed: int
    records: int
    files: int = 1
    malformed_share: float = 0.0
    malformed_kinds: Sequence[str] = ()
    file_faults: Sequence[str] = ()
    prefix: str = ""
    name: str = "file"

    @property
    def total(self) -> int | None:
        return None if {"empty_file", "header_only"} & set(self.file_faults) else self.records

    @abstractmethod
    def entries(self, file: int) -> Iterator[Entry]:
        """The rows of a file, before the malformers."""

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """See FileSource."""
        yield from ()

    def frame(self, name: str) -> Frame:
        """See FileSource."""
        header = ",".join(self.columns).encode() + b"\n"
        match self._fault(self._names().index(name)):
            case "empty_file":
                return Frame(rows=False)
            case "header_only":
                return Frame(header, rows=False)
            case "wrong_header":
                return Frame(b"no_" + header)
            case "wrong_delimiter":
                return Frame(header.replace(b",", b";"))
            case "not_csv":
                return Frame(NOT_CSV)
            case _:
                return Frame(header)

    def __iter__(self) -> Iterator[Record]:
        number = 0
        for file, name in enumerate(self._names()):
            fault = self._fault(file)
            if fault in {"empty_file", "header_only"}:
                yield Record(number, name, b"", name, None, fault)
                number += 1
                continue
            for entry in self.entries(file):
                yield self._record(number, name, entry, fault)
                number += 1

    def share(self, file: int) -> int:
        """How many rows a file has."""
        share = self.records // self.files
        return share + (self.records % self.files if file == self.files - 1 else 0)

    def spoilt(self, rng: random.Random, count: int) -> dict[int, str]:
        """Which of `count` rows are spoilt, and how: the exact share, every kind as often as the others. Never the first."""
        many = min(round(count * self.malformed_share), count - 1)
        chosen = sorted(rng.sample(range(1, count), many)) if many > 0 else []
        kinds = list(self.malformed_kinds)
        return {index: kinds[number % len(kinds)] for number, index in enumerate(chosen)}

    def _record(self, number: int, name: str, entry: Entry, fault: str | None) -> Record:
        payload = ",".join(_quoted(value) for value in entry.values).encode()
        if fault is not None:
            if fault == "wrong_delimiter":
                payload = payload.replace(b",", b";")
            return Record(number, entry.record_id, payload, name, None, fault)
        if entry.spoilt in CSV_MALFORMERS:
            payload = CSV_MALFORMERS[entry.spoilt](payload, random.Random(f"{self.seed}/{number}"))
        promised = to_json(entry.stored) if entry.stored is not None and entry.spoilt is None else None
        return Record(number, entry.record_id, payload, name, promised, entry.spoilt)

    def _names(self) -> list[str]:
        # Spaces and plus signs in keys are where notifications that nobody decodes are lost.
        return [f"{self.prefix}{self.name}{f' +{file + 1}' if self.files > 1 else ''}.csv" for file in range(self.files)]

    def _fault(self, file: int) -> str | None:
        behind = self.files - 1 - file
        return self.file_faults[behind] if behind < len(self.file_faults) else None


def _quoted(value: str) -> str:
    return f'"{value.replace(chr(34), chr(34) * 2)}"' if any(sign in value for sign in ',"\n') else value
