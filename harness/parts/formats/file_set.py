"""Generated files: equal shares of the records, records that are varied or spoilt, and files that are spoilt as a whole."""

from __future__ import annotations

import random
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol, Self

from pydantic import model_validator
from pydantic_core import to_json

from harness.accounting.record import Record
from harness.errors import UsageError
from harness.parts.part import Files, NotEmpty, Part, Records, Share
from harness.parts.ports import Source, SourceContext
from harness.parts.variety import Row, Variety

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.parts.ports import Malformer
    from harness.parts.units import File


class Entry(NamedTuple):
    """One record of a generated file, before the malformers.

    `values` are what the format writes, `stored` is what a probe must find of the record, `spoilt` names what is wrong with it, and
    `filtered` the rule by which the pipeline drops it."""

    record_id: str
    values: Any
    stored: Mapping[str, Any]
    spoilt: str | None
    filtered: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What decides the records of one file: its number (from 0), how many records it has, and which of them are spoilt or varied, and how.

    `before` is the number of records in the files before it. All values must be drawn from `rng`, so that the same seed makes the same file."""

    seed: int
    file: int
    count: int
    rng: random.Random
    spoilt: Mapping[int, str]
    varied: Mapping[int, Row] = field(default_factory=dict)
    before: int = 0


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

    @property
    def variety(self) -> Variety:
        """Returns the classes of files of this format."""
        ...

    def written(self, values: Any, classes: Mapping[str, str]) -> bytes:
        """Returns a record as it stands in a file of these classes."""
        ...

    def damaged(self, payload: bytes, fault: str) -> bytes:
        """Returns a record as it stands in a file with this fault."""
        ...

    def file(self, name: str, rows: Callable[[], Iterator[Record]], fault: str | None, classes: Mapping[str, str]) -> File:
        """Returns the file around the rows. A file with a fault is ordinary otherwise."""
        ...


class Malformed(Part):
    """Spoils a share of the records, by each of the kinds in turn."""

    share: Share
    kinds: Annotated[tuple[str, ...], NotEmpty]


def malformed_labels(kinds: Iterable[str]) -> tuple[str, ...]:
    """Returns the classes of records that are malformed in these ways."""
    return tuple(f"malformed: {kind}" for kind in kinds)


class FileSource(Source):
    """The keys of a source of generated files: `records` records in `files` files, of which `file_faults` spoil the last ones.

    `rivals` is the share of a file's records that stand in the next file too. The pipeline stores one of the two, whichever it takes first, and gives the
    other up."""

    arrival_faults: ClassVar[tuple[str, ...]] = ()
    repeating: ClassVar[frozenset[str]] = frozenset()
    """The malformed kinds of which an earlier, healthy record is the first of two."""

    records: Records
    files: Files = 1
    malformed: Malformed | None = None
    file_faults: tuple[str, ...] = ()
    rivals: Share = 0.0

    @model_validator(mode="after")
    def _has_files_to_spoil(self) -> Self:
        if len(self.file_faults) > self.files:
            raise ValueError(f"file_faults: {len(self.file_faults)} faults for {self.files} files")
        check_rivals(self.rivals, self.files, self.file_faults)
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
        return replace(self.generated(context.seed, context.records or self.records), rivals=self.rivals)

    @abstractmethod
    def generated(self, seed: int, records: int) -> FileSet:
        """Returns the files of this seed, with so many records in all."""


def check_rivals(rivals: float, files: int, file_faults: Sequence[str]) -> None:
    """Raises ValueError where no record could stand in two files."""
    if rivals and files - len(file_faults) < 2:
        raise ValueError("rivals: a record can stand in two files only where there are two that are not spoilt")


def refuse_files(context: SourceContext) -> None:
    """Raises UsageError where the command names a file for a source that makes its own records."""
    if context.input_path is not None:
        raise UsageError("--input: this scenario makes its own records; scenarios whose source is a file take --input")
    if context.lookup_path is not None:
        raise UsageError("--lookup: this scenario has no use for a file of lookup data")


_IN_TWO_FILES = "record: in two files"
_NAMES = ("with blanks and plus signs", "as another folder's file", "beyond ASCII")
_PLAIN = ""
_NO_VARIETY = Variety({})


@dataclass(frozen=True)
class FileSet:
    """`records` records in `files` files of equal length, called `prefix` + `name` + the format's suffix. `variety` has the classes of
    the records.

    `entries` yields the records of one file. `file_faults` spoil whole files, beginning with the last. `rivals` is the share of a file's records
    that stand in the next file too. Files that do not vary are named and written in the ordinary way."""

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
    variety: Variety = _NO_VARIETY
    rivals: float = 0.0
    varies: bool = True

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the classes of the files and their records, and the kinds in which some are malformed."""
        spoilt = [*(self.malformed.kinds if self.malformed and self.malformed.share else ()), *self.file_faults]
        names = tuple(f"file: name {name}" for name in _NAMES) if self.files > 1 else ()
        twice = (_IN_TWO_FILES,) if self.rivals else ()
        of_files = (*self.format.variety.labels, *names) if self.varies else ()
        return (*of_files, *self.variety.labels, *twice, *malformed_labels(spoilt))

    @property
    def total(self) -> int | None:
        """Returns how many records there are; None where some files have none, or some records stand in two."""
        return None if self.rivals or self.format.without_records & set(self.file_faults) else self.records

    def units(self) -> Iterator[File]:
        """Yields the files in their order."""
        variety = self.format.variety
        for file in range(self.files):
            fault = self._fault(file)
            if self._count(file) == 0 and fault not in self.format.without_records:
                # Fewer records than files: a file without any would be another kind of file, of which nothing is promised.
                continue
            row = Row(self.format.variety.ordinary, ()) if fault or not self.varies else variety.rows[file % len(variety.rows)]
            named = _NAMES[file % len(_NAMES)] if self.varies else _PLAIN
            rows = partial(self._rows_with_rivals, file, fault, row.classes)
            made = self.format.file(self._name(file, named), rows, fault, row.classes)
            yield replace(made, classes=(*row.labels, *((f"file: name {named}",) if self.files > 1 and self.varies else ())))

    def _name(self, file: int, named: str) -> str:
        # Spaces and plus signs are where a notification's key is lost that a pipeline does not decode.
        number = f" +{file + 1}" if self.files > 1 else ""
        match named:
            case _ if named == _PLAIN:
                return f"{self.prefix}{self.name}{f'-{file + 1}' if self.files > 1 else ''}{self.format.suffix}"
            case "as another folder's file":
                return f"{self.prefix}part={file + 1}/{self.name} +{file}{self.format.suffix}"
            case "beyond ASCII":
                return f"{self.prefix}{self.name}{number} Übersicht 日本{self.format.suffix}"
            case _:
                return f"{self.prefix}{self.name}{number}{self.format.suffix}"

    def draft(self, file: int) -> Draft:
        """Returns what decides the records of a file."""
        count = self._count(file)
        rng = random.Random(f"{self.seed}/{file}")
        spoilt = self._spoilt(rng, count, file)
        varied = self.variety.placed(count, file) if self.variety.dimensions else {}
        # A malformer expects an ordinary record: half of a quoted line end is two rows.
        healthy = {place: row for place, row in varied.items() if place not in spoilt}
        return Draft(self.seed, file, count, rng, spoilt, healthy, file * (self.records // self.files))

    def _count(self, file: int) -> int:
        return self.records // self.files + (self.records % self.files if file == self.files - 1 else 0)

    def _spoilt(self, rng: random.Random, count: int, file: int) -> dict[int, str]:
        """Returns which of a file's `count` records are spoilt, and how: the exact share, never the first. The kinds take turns, through all
        files."""
        if self.malformed is None:
            return {}
        many = min(round(count * self.malformed.share), count - 1)
        chosen = sorted(rng.sample(range(1, count), many)) if many > 0 else []
        kinds = self.malformed.kinds
        return {index: kinds[number % len(kinds)] for number, index in enumerate(chosen, file * max(many, 0))}

    def _rows_with_rivals(self, file: int, fault: str | None, classes: Mapping[str, str]) -> Iterator[Record]:
        """Yields the records of a file, then the rivals that the previous file has of them."""
        of_next, of_this = self._rivals(file), self._rivals(file - 1)
        for number, record in enumerate(self._rows(file, fault, classes)):
            yield _rival(record, f"{file}/{number}") if number in of_next else record
        if of_this:
            for number, record in enumerate(self._rows(file - 1, None, classes)):
                if number in of_this and record.promised is not None:
                    yield _rival(record, f"{file - 1}/{number}")

    def _rivals(self, file: int) -> frozenset[int]:
        """Returns which records of a file stand in the next one too."""
        both = 0 <= file < self.files - 1 and not any(self._fault(each) or not self._count(each) for each in (file, file + 1))
        count = self._count(file) if both else 0
        return frozenset(random.Random(f"{self.seed}/{file}/rivals").sample(range(count), round(count * self.rivals)))

    def _rows(self, file: int, fault: str | None, classes: Mapping[str, str]) -> Iterator[Record]:
        malformers = self.malformers or self.format.malformers
        draft = self.draft(file)
        for number, entry in enumerate(self.entries(draft)):
            payload = self.format.written(entry.values, classes)
            if fault is not None:
                yield Record(entry.record_id, self.format.damaged(payload, fault), None, fault)
                continue
            if entry.spoilt is None:
                labels = draft.varied[number].labels if number in draft.varied else ()
                promised = None if entry.filtered else to_json(entry.stored)
                yield Record(entry.record_id, payload, promised, classes=labels, filtered=entry.filtered)
                continue
            if entry.spoilt in malformers:
                payload = malformers[entry.spoilt](payload, random.Random(f"{self.seed}/{draft.before + number}"))
            yield Record(entry.record_id, payload, None, entry.spoilt)

    def _fault(self, file: int) -> str | None:
        behind = self.files - 1 - file
        return self.file_faults[behind] if behind < len(self.file_faults) else None


def _rival(record: Record, group: str) -> Record:
    """Returns the record as a member of a group of rivals; leaves a malformed or filtered record unchanged."""
    return record if record.promised is None else record._replace(rival=group, classes=(*record.classes, _IN_TWO_FILES))
