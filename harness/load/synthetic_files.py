"""What synthetic files share: equal shares of the records, records that are spoilt, and files that are spoilt as a whole."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic_core import to_json

from harness.accounting.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.load.files import Frame


class Entry(NamedTuple):
    """One record: its id, its values (of a CSV file in the order of the columns), and what is found of it where it is stored.

    `spoilt` names what is wrong with it."""

    record_id: str
    values: Any
    stored: Mapping[str, Any]
    spoilt: str | None


@dataclass(frozen=True)
class SyntheticFiles(ABC):
    """`records` records in `files` files of equal length, of which `malformed_share` (0 to 1) are spoilt, by the kinds in turn.

    `file_faults` spoil whole files, beginning with the last."""

    malformers: ClassVar[Mapping[str, Callable[[bytes, random.Random], bytes]]]
    without_records: ClassVar[frozenset[str]]
    """The file faults that leave no record in a file."""
    suffix: ClassVar[str]

    seed: int
    records: int
    files: int = 1
    malformed_share: float = 0.0
    malformed_kinds: Sequence[str] = ()
    file_faults: Sequence[str] = ()
    prefix: str = "input/"
    name: str = "file"

    @abstractmethod
    def entries(self, file: int) -> Iterator[Entry]:
        """The records of a file, before the malformers."""

    @abstractmethod
    def written(self, entry: Entry) -> bytes:
        """A record as it stands in its file."""

    def damaged(self, payload: bytes, _fault: str) -> bytes:
        """A record as it stands in a file with this fault."""
        return payload

    @abstractmethod
    def framed(self, fault: str | None) -> Frame:
        """What stands around the records of a file with this fault."""

    @property
    def total(self) -> int | None:
        return None if self.without_records & set(self.file_faults) else self.records

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """See FileSource."""
        yield from ()

    def frame(self, name: str) -> Frame:
        """See FileSource."""
        return self.framed(self._fault(self._names().index(name)))

    def __iter__(self) -> Iterator[Record]:
        number = 0
        for file, name in enumerate(self._names()):
            fault = self._fault(file)
            if fault in self.without_records:
                yield Record(number, name, b"", name, None, fault)
                number += 1
                continue
            for entry in self.entries(file):
                yield self._record(number, name, entry, fault)
                number += 1

    def share(self, file: int) -> int:
        """How many records a file has."""
        share = self.records // self.files
        return share + (self.records % self.files if file == self.files - 1 else 0)

    def spoilt(self, rng: random.Random, count: int) -> dict[int, str]:
        """Which of `count` records are spoilt, and how: the exact share, every kind as often as the others. Never the first."""
        many = min(round(count * self.malformed_share), count - 1)
        chosen = sorted(rng.sample(range(1, count), many)) if many > 0 else []
        kinds = list(self.malformed_kinds)
        return {index: kinds[number % len(kinds)] for number, index in enumerate(chosen)}

    def _record(self, number: int, name: str, entry: Entry, fault: str | None) -> Record:
        payload = self.written(entry)
        if fault is not None:
            return Record(number, entry.record_id, self.damaged(payload, fault), name, None, fault)
        if entry.spoilt is not None and entry.spoilt in self.malformers:
            payload = self.malformers[entry.spoilt](payload, random.Random(f"{self.seed}/{number}"))
        promised = to_json(entry.stored) if entry.spoilt is None else None
        return Record(number, entry.record_id, payload, name, promised, entry.spoilt)

    def _names(self) -> list[str]:
        # Spaces and plus signs in keys are where notifications that nobody decodes are lost.
        return [f"{self.prefix}{self.name}{f' +{file + 1}' if self.files > 1 else ''}{self.suffix}" for file in range(self.files)]

    def _fault(self, file: int) -> str | None:
        behind = self.files - 1 - file
        return self.file_faults[behind] if behind < len(self.file_faults) else None
