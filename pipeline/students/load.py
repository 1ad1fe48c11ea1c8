"""Synthetic students: CSV files that say who takes which course, as the students pipeline takes them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from faker import Faker

from harness.api import (
    CSV_FILE_FAULTS,
    CSV_MALFORMERS,
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

COLUMNS = ("student_id", "name", "course", "grade", "enrolled_on")
DUPLICATE_KEY = "duplicate_key"
"""Gives the row the key of an earlier one, which counts. The row itself is well formed, so this kind is not a malformer."""

# A student's id may have letters: `wrong_type` spoils nothing here.
MALFORMERS = {kind: malformer for kind, malformer in CSV_MALFORMERS.items() if kind != "wrong_type"}
KINDS = (*MALFORMERS, DUPLICATE_KEY)

VARIETY = Variety(
    {
        "student_id": ("ordinary", "upper case", "digits with leading zeros", "an e-mail address", "beyond ASCII", "with blanks"),
        "text": ("ordinary", *TEXTS),
        "text stands in": ("name", "course"),
        "grade": ("drawn", "none yet", "with a sign"),
        "enrolled_on": ("drawn", "29 February", "31 December"),
    }
)
"""The classes of students. All are valid, and must be stored with nothing changed."""

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
        of = (self.files, self.malformed, self.file_faults, "students", "incoming/")
        return FileSet(form, entries, seed, records, *of, variety=VARIETY)


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
        values: tuple[str, ...] = (
            student,
            names[rng.randrange(_POOL)],
            course,
            _GRADES[rng.randrange(len(_GRADES))],
            day.isoformat(),
        )
        if index in draft.varied:
            values = _varied(values, draft.varied[index].classes, index)
            earlier = (values[0], values[2])
        yield Entry(f"{values[0]}/{values[2]}", values, dict(zip(COLUMNS, values, strict=True)), kind)


def _varied(student: tuple[str, ...], classes: Mapping[str, str], index: int) -> tuple[str, ...]:
    """Returns the row in the ways of its classes."""
    values = dict(zip(COLUMNS, student, strict=True))
    values["student_id"] = _student_id(values["student_id"], classes["student_id"], index)
    if classes["text"] in TEXTS:
        column, text = classes["text stands in"], TEXTS[classes["text"]]
        # A course is part of the key, which has room for 128 characters.
        values[column] = f"{text[:100]} {index}" if column == "course" else text
    values["grade"] = {"none yet": "", "with a sign": "B-"}.get(classes["grade"], values["grade"])
    days = {"29 February": "2024-02-29", "31 December": "2025-12-31"}
    values["enrolled_on"] = days.get(classes["enrolled_on"], values["enrolled_on"])
    return tuple(values.values())


def _student_id(drawn: str, written: str, index: int) -> str:
    match written:
        case "upper case":
            # Another row has this id in lower case.
            return drawn.upper()
        case "digits with leading zeros":
            return f"00{drawn[1:]}{index}"
        case "an e-mail address":
            return f"{drawn}+{index}@example.com"
        case "beyond ASCII":
            return f"schüler-{drawn}-学生{index}"
        case "with blanks":
            return f"{drawn} {index}"
        case _:
            return drawn
