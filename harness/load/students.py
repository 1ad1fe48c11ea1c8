"""Synthetic students: CSV files that say who takes which course, as the students pipeline takes them."""

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
    from collections.abc import Iterator

COLUMNS = ("student_id", "name", "course", "grade", "enrolled_on")
DUPLICATE_KEY = "duplicate_key"
"""A row for which an earlier one has the key: the first counts. Not a malformer: nothing is wrong with the row."""

STUDENT_ROW_FAULTS = tuple(kind for kind in CSV_MALFORMERS if kind != "wrong_type")
"""The malformers whose rows are no students: a student's id may have letters."""

STUDENT_KINDS = (*STUDENT_ROW_FAULTS, DUPLICATE_KEY)

_POOL = 300
_COURSES = ("Algebra", "Chemistry", "Databases", "Drawing, advanced", "History", "Networks", 'The "Iliad"', "Zoology")
_GRADES = ("A", "A-", "B+", "B", "C", "D", "F", "")
_FIRST_DAY = date(2025, 9, 1)


@dataclass(frozen=True)
class StudentsSource(CsvFiles):
    """See SyntheticFiles. Stored students must have every column."""

    columns = COLUMNS
    prefix: str = "incoming/"
    name: str = "students"

    def entries(self, file: int) -> Iterator[Entry]:
        """See SyntheticFiles."""
        rng = random.Random(f"{self.seed}/{file}")
        count = self.share(file)
        spoilt = self.spoilt(rng, count)
        fake = Faker(["en_US", "de_DE", "ja_JP"])
        fake.seed_instance(self.seed)
        names = [fake.name() for _ in range(_POOL)]
        earlier = ("", "")
        for index in range(count):
            # Each student takes every second course or so; students are those of this file.
            student, course = f"s{file:02d}{index // 4:07d}", _COURSES[2 * (index % 4) + rng.randrange(2)]
            kind = spoilt.get(index)
            if kind == DUPLICATE_KEY:
                student, course = earlier
            elif kind is None:
                earlier = (student, course)
            day = _FIRST_DAY + timedelta(days=rng.randrange(300))
            values = (student, names[rng.randrange(_POOL)], course, _GRADES[rng.randrange(len(_GRADES))], day.isoformat())
            yield Entry(f"{student}/{course}", values, dict(zip(COLUMNS, values, strict=True)), kind)
