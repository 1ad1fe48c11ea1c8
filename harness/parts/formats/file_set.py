"""Generated files: equal shares of the records, records that are spoilt, and files that are spoilt as a whole."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol, Self

from pydantic import PositiveInt, model_validator
from pydantic_core import to_json

from harness.accounting.record import Record
from harness.errors import UsageError
from harness.parts.part import NotEmpty, Part, Share
from harness.parts.ports import Source, SourceContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.parts.ports import Malformer
    from harness.parts.units import File


class Entry(NamedTuple):
    """One record of a generated file, before the malformers.

    `values` are what the format writes, `stored` is what a probe must find of the record, `spoilt` names what is wrong with it."""

    record_id: str
    values: Any
    stored: Mapping[str, Any]
    spoilt: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """What decides the records of one file: its number (from 0), how many records it has, and which of them are spoilt, and how.

    All values must be drawn from `rng`, so that the same seed makes the same file."""

    seed: int
    file: int
    count: int
    rng: random.Random
    spoilt: Mapping[int, str]


class Format(Protocol):
    """How records are written to a file, and how a file is spoilt as a whole."""

    @property
    def suffix(self) -> str: ...

    @property
    def malformers(self) -> Mapping[str, Malformer]: ...

    @property
    def without_records(self) -> frozenset[str]:
        """Returns the file faults that leave no record in the file."""
        ...

    def written(self, values: Any) -> bytes:
        """Returns a record as it stands in its file."""
        ...

    def damaged(self, payload: bytes, fault: str) -> bytes:
        """Returns a record as it stands in a file with this fault."""
        ...

    def file(self, name: str, rows: Callable[[], Iterator[Record]], fault: str | None) -> File:
        """Returns the file around the rows."""
        ...


class Malformed(Part):
    """Spoils a share of the records, by each of the kinds in turn."""

    share: Share
    kinds: Annotated[tuple[str, ...], NotEmpty]


class FileSource(Source):
    """The keys of a source of generated files: `records` records in `files` files, of which `file_faults` spoil the last ones."""

    arrival_faults: ClassVar[tuple[str, ...]] = ()
    repeating: ClassVar[frozenset[str]] = frozenset()
    """The malformed kinds of which an earlier, healthy record is the first of two."""

    records: PositiveInt
    files: PositiveInt = 1
    malformed: Malformed | None = None
    file_faults: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_files_to_spoil(self) -> Self:
        if len(self.file_faults) > self.files:
            raise ValueError(f"file_faults: {len(self.file_faults)} faults for {self.files} files")
        return self

    @property
    def refuses_record_faults(self) -> str | None:
        """Returns a reason where a record fault could spoil the first of two records, which would make the second one healthy."""
        named = self.repeating & set(self.malformed.kinds if self.malformed else ())
        if not named:
            return None
        return f"source.malformed.kinds: {', '.join(sorted(named))} and record faults exclude each other; name the kinds without it"

    def open(self, context: SourceContext) -> FileSet:
        """Returns the files. Raises UsageError for --input and --lookup: a generator reads no file."""
        refuse_files(context)
        return self.generated(context.seed, context.records or self.records)

    @abstractmethod
    def generated(self, seed: int, records: int) -> FileSet:
        """Returns the files of this seed, with so many records in all."""


def refuse_files(context: SourceContext) -> None:
    """Raises UsageError where the command names a file for a source that makes its own records."""
    if context.input_path is not None:
        raise UsageError("--input: this scenario makes its own records; scenarios whose source is a file take --input")
    if context.lookup_path is not None:
        raise UsageError("--lookup: this scenario has no use for a file of lookup data")


@dataclass(frozen=True)
class FileSet:
    """`records` records in `files` files of equal length, called `prefix` + `name` + the format's suffix.

    `entries` yields the records of one file. `file_faults` spoil whole files, beginning with the last."""

    format: Format
    entries: Callable[[Draft], Iterator[Entry]]
    seed: int
    records: int
    files: int = 1
    malformed: Malformed | None = None
    file_faults: Sequence[str] = ()
    name: str = "file"
    prefix: str = "input/"
    malformers: Mapping[str, Malformer] = field(default_factory=dict)

    @property
    def total(self) -> int | None:
        """Returns how many records there are; None where some files have none."""
        return None if self.format.without_records & set(self.file_faults) else self.records

    def units(self) -> Iterator[File]:
        """Yields the files in their order."""
        for file in range(self.files):
            # Spaces and plus signs are where a notification's key is lost that a pipeline does not decode.
            number = f" +{file + 1}" if self.files > 1 else ""
            fault = self._fault(file)
            if self._count(file) == 0 and fault not in self.format.without_records:
                # Fewer records than files: a file without any would be another kind of file, of which nothing is promised.
                continue
            name = f"{self.prefix}{self.name}{number}{self.format.suffix}"
            yield self.format.file(name, partial(self._rows, file, fault), fault)

    def draft(self, file: int) -> Draft:
        """Returns what decides the records of a file."""
        count = self._count(file)
        rng = random.Random(f"{self.seed}/{file}")
        return Draft(self.seed, file, count, rng, self._spoilt(rng, count))

    def _count(self, file: int) -> int:
        return self.records // self.files + (self.records % self.files if file == self.files - 1 else 0)

    def _spoilt(self, rng: random.Random, count: int) -> dict[int, str]:
        """Returns which of `count` records are spoilt, and how: the exact share, every kind as often as the others, never the first."""
        if self.malformed is None:
            return {}
        many = min(round(count * self.malformed.share), count - 1)
        chosen = sorted(rng.sample(range(1, count), many)) if many > 0 else []
        kinds = self.malformed.kinds
        return {index: kinds[number % len(kinds)] for number, index in enumerate(chosen)}

    def _rows(self, file: int, fault: str | None) -> Iterator[Record]:
        before = file * (self.records // self.files)
        malformers = self.malformers or self.format.malformers
        for number, entry in enumerate(self.entries(self.draft(file)), before):
            payload = self.format.written(entry.values)
            if fault is not None:
                yield Record(entry.record_id, self.format.damaged(payload, fault), None, fault)
                continue
            if entry.spoilt is None:
                yield Record(entry.record_id, payload, to_json(entry.stored))
                continue
            if entry.spoilt in malformers:
                payload = malformers[entry.spoilt](payload, random.Random(f"{self.seed}/{number}"))
            yield Record(entry.record_id, payload, None, entry.spoilt)

    def _fault(self, file: int) -> str | None:
        behind = self.files - 1 - file
        return self.file_faults[behind] if behind < len(self.file_faults) else None
