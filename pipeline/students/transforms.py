"""The students' transforms: pure functions from bytes and values to values. A row says that a student takes a course."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from pipeline.files.failed_rows import FailedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.files.rows import Row

COLUMNS = ("student_id", "name", "course", "grade", "enrolled_on")
KEY = ("student_id", "course")


def _day(value: str) -> str:
    date.fromisoformat(value)
    return value


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class _Student(TypedDict):
    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    student_id: Identifier
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    course: Identifier
    # Empty as long as there is none.
    grade: Annotated[str, StringConstraints(pattern=r"^[A-F]?[+-]?$")]
    enrolled_on: Annotated[str, AfterValidator(_day)]


_student = TypeAdapter(_Student)


class Student(NamedTuple):
    """A valid row: where it stood, as it came, and its values in the order of COLUMNS."""

    line: int
    raw: bytes
    values: Sequence[str]

    @property
    def key(self) -> tuple[str, str]:
        return self.values[0], self.values[2]

    def item(self, upload_id: str) -> dict[str, Any]:
        """Returns the table's item: the values, and which row of which upload they are."""
        document = {name: {"S": value} for name, value in zip(COLUMNS, self.values, strict=True)}
        return {**document, "upload": {"S": upload_id}, "line": {"N": str(self.line)}}


def sort_out(rows: Iterable[Row], known: set[tuple[str, str]]) -> tuple[list[Student], list[FailedRow]]:
    """Returns the rows that may be stored, and the others. `known` are the keys of the file so far, and grows: of two rows with one key the first
    counts. Total: every row is in exactly one of the two."""
    good: list[Student] = []
    bad: list[FailedRow] = []
    for row in rows:
        problem = row.problem or _invalid(row.fields)
        student = Student(row.line, row.raw, row.fields)
        if problem is None and student.key in known:
            problem = f"DuplicateKey: an earlier row of the file has {' '.join(KEY)} {' '.join(student.key)!r}"
        if problem is None:
            known.add(student.key)
            good.append(student)
        else:
            bad.append(FailedRow(row.line, row.raw, problem))
    return good, bad


def _invalid(fields: Sequence[str]) -> str | None:
    try:
        _student.validate_python(dict(zip(COLUMNS, fields, strict=True)))
    except ValidationError as error:
        return "InvalidStudent: " + "; ".join(f"{d['loc'][0]}: {d['msg']}" for d in error.errors(include_url=False))
    return None
