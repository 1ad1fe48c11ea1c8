"""Synthetic students: CSV files that say who takes which course, as the students pipeline takes them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from faker import Faker

from harness.api import CSV_FILE_FAULTS, CSV_MALFORMERS, CsvFormat, Draft, Entry, FileSet, FileSource, Malformed, NotEmpty, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.api import Malformer

COLUMNS = ("student_id", "name", "course", "grade", "enrolled_on")
DUPLICATE_KEY = "duplicate_key"
"""Gives the row the key of an earlier one, which counts. The row itself is well formed, so this kind is not a malformer."""

# A student's id may have letters: `wrong_type` spoils nothing here.
MALFORMERS = {kind: malformer for kind, malformer in CSV_MALFORMERS.items() if kind != "wrong_type"}
KINDS = (*MALFORMERS, DUPLICATE_KEY)

_POOL = 300
_COURSES = ("Algebra", "Chemistry", "Databases", "Drawing, advanced", "History", "Networks", 'The "Iliad"', "Zoology")
_GRADES = ("A", "A-", "B+", "B", "C", "D", "F", "")
_FIRST_DAY = date(2025, 9, 1)


class MalformedStudents(Malformed):
    """Spoils a share of the rows, by each of the kinds in turn (by all kinds where none are named)."""

    kinds: Annotated[tuple[Annotated[str, one_of(KINDS)], ...], NotEmpty] = KINDS


class Students(FileSource):
    """Synthetic students. Stored students must have every column."""

    repeating: ClassVar[frozenset[str]] = frozenset({DUPLICATE_KEY})

    malformed: MalformedStudents | None = None
    file_faults: tuple[Annotated[str, one_of(CSV_FILE_FAULTS)], ...] = ()

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        """Returns the malformers whose rows are no students."""
        return MALFORMERS

    def generated(self, seed: int, records: int) -> FileSet:
        """Returns the files of this seed."""
        form = CsvFormat(COLUMNS, MALFORMERS)
        return FileSet(form, entries, seed, records, self.files, self.malformed, self.file_faults, "students", "incoming/")


def entries(draft: Draft) -> Iterator[Entry]:
    """Yields the rows of a file: each student takes every second course or so, and belongs to this file alone."""
    rng = draft.rng
    fake = Faker(["en_US", "de_DE", "ja_JP"])
    fake.seed_instance(draft.seed)
    names = [fake.name() for _ in range(_POOL)]
    earlier = ("", "")
    for index in range(draft.count):
        student, course = f"s{draft.file:02d}{index // 4:07d}", _COURSES[2 * (index % 4) + rng.randrange(2)]
        kind = draft.spoilt.get(index)
        if kind == DUPLICATE_KEY:
            student, course = earlier
        elif kind is None:
            earlier = (student, course)
        day = _FIRST_DAY + timedelta(days=rng.randrange(300))
        values = (student, names[rng.randrange(_POOL)], course, _GRADES[rng.randrange(len(_GRADES))], day.isoformat())
        yield Entry(f"{student}/{course}", values, dict(zip(COLUMNS, values, strict=True)), kind)
