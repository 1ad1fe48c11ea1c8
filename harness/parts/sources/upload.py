"""A CSV file of the user's own, uploaded unchanged: its rows are the records."""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from functools import cached_property
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, ClassVar, TextIO

from pydantic_core import to_json

from harness.accounting.record import Record
from harness.errors import UsageError
from harness.parts.expressions import ExpressionError, Filter, compiled
from harness.parts.part import Beside, NotEmpty
from harness.parts.ports import Load, Source, SourceContext
from harness.parts.sources.lines import MOST_BYTES, ends_with_a_line_feed, header_of, input_of, rows
from harness.parts.units import File

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

UNMAPPED, UNKNOWN_KEY = "unmapped line", "unknown_key"


class Upload(Source):
    """A CSV file, named by --input or by `path`, under the key `key`. UploadedFile documents `id_fields` and `lookup_key`."""

    arrival_faults: ClassVar[tuple[str, ...]] = ()

    key: str = "input/{name}"
    id_fields: Annotated[tuple[str, ...], NotEmpty]
    lookup_key: str | None = None
    filtered: Filter | None = None
    path: Beside | None = None

    def open(self, context: SourceContext) -> Load:
        """Returns the file. Raises UsageError where it is missing, is not CSV, or lacks a column that is needed."""
        path = input_of(context, self.path)
        arguments = (path, self.key, self.id_fields, self.lookup_key, context.lookup_path, context.records, self.filtered)
        file = UploadedFile(*arguments) if self.lookup_key is None else UploadedFileWithLookup(*arguments)
        file.check()
        return file


@dataclass(frozen=True)
class UploadedFile:
    """The rows of `path`, under `key` ({name} stands for the file's name). `id_fields` name the columns that make a record's id.

    Where `lookup_key` names a column, `lookup_path` is a CSV file that has this column too. A stored row must have the columns of its
    line in that file, and a row without such a line must not be stored. Where the expression `filtered` is true for the texts of a row, a rule of the
    pipeline drops it; a row for which it has no value is malformed."""

    path: Path
    key: str
    id_fields: tuple[str, ...]
    lookup_key: str | None = None
    lookup_path: Path | None = None
    limit: int | None = None
    filtered: str | None = None

    @property
    def total(self) -> int | None:
        """Returns how many records there are, where --records says it."""
        return self.limit

    def check(self) -> None:
        """Raises UsageError for files that are missing or lack a column that is needed."""
        header = header_of(self.path, "--input")
        needed = [*self.id_fields, *([self.lookup_key] if self.lookup_key else [])]
        _need(needed, header, f"--input {self.path}")
        # Reads the whole file once, so that a row that cannot be read is reported before anything starts.
        if not sum(1 for _ in self._rows()):
            raise UsageError(f"--input {self.path} has a header and no row: there is no record to offer")
        if self.lookup_key is None:
            if self.lookup_path is not None:
                message = "--lookup: this scenario looks nothing up"
                raise UsageError(message)
            return
        if self.lookup_path is None:
            message = f"this scenario looks rows up by {self.lookup_key}: name the CSV file that has them with --lookup FILE"
            raise UsageError(message)
        _need([self.lookup_key], header_of(self.lookup_path, "--lookup"), f"--lookup {self.lookup_path}")
        next(iter(self._found), None)

    def units(self) -> Iterator[File]:
        """Yields the file. Lines end as the header's does, and the last one ends as it does in the file."""
        ended = ends_with_a_line_feed(self.path)
        line_end = b"\r\n" if self._head.endswith(b"\r\n") else b"\n"
        name = self.key.replace("{name}", self.path.name)
        yield File(name, self._records, self._head, line_end, line_end if ended else b"")

    def _records(self) -> Iterator[Record]:
        columns = next(csv.reader([self._head.decode("utf-8-sig", errors="surrogateescape").rstrip("\r\n")]))
        for number, (line, raw, fields) in enumerate(self._rows()):
            if number == self.limit:
                return
            promised, problem = self._promise(columns, fields)
            rule, problem = self._rule(columns, fields, problem)
            values = dict(zip(columns, fields, strict=False))
            # Bytes that are not UTF-8 are escaped: an id must be text.
            record_id = "/".join(values.get(field, "") for field in self.id_fields).encode(errors="backslashreplace").decode()
            kept = None if rule or problem else promised
            yield Record(record_id or f"line {line}", raw, kept, problem, filtered=rule)

    def _promise(self, columns: list[str], fields: list[str]) -> tuple[bytes | None, str | None]:
        if len(fields) != len(columns):
            return None, UNMAPPED
        values = dict(zip(columns, fields, strict=True))
        if self.lookup_key is not None:
            found = self._found.get(values[self.lookup_key])
            if found is None:
                return None, UNKNOWN_KEY
            values |= found
        try:
            return to_json(values), None
        except ValueError:
            # The row is not UTF-8: no pipeline may store it as text.
            return None, UNMAPPED

    def _rule(self, columns: list[str], fields: list[str], problem: str | None) -> tuple[str | None, str | None]:
        """Returns the rule that drops a row, if one does, and what is wrong with the row."""
        if self.filtered is None or problem:
            return None, problem
        try:
            return (self.filtered if compiled(self.filtered)(dict(zip(columns, fields, strict=True))) else None), None
        except ExpressionError:
            return None, UNMAPPED

    @cached_property
    def _head(self) -> bytes:
        with self.path.open("rb") as file:
            head = next(rows(file)).content
        return head if head.endswith(b"\n") else head + b"\n"

    @cached_property
    def _found(self) -> dict[str, dict[str, str]]:
        if self.lookup_path is None or self.lookup_key is None:
            return {}
        found: dict[str, dict[str, str]] = {}
        try:
            with self.lookup_path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(_bounded(file))
                for row in reader:
                    if None in row or None in row.values():
                        raise UsageError(
                            f"--lookup {self.lookup_path}:{reader.line_num}: not as many values as the header has columns"
                        )
                    found[row[self.lookup_key]] = row
        except (UnicodeDecodeError, csv.Error) as error:
            message = f"--lookup {self.lookup_path} is not CSV: {error}"
            raise UsageError(message) from error
        return found

    def _rows(self) -> Iterator[tuple[int, bytes, list[str]]]:
        """Yields the line on which a row begins, the row unchanged, and its fields. Raises UsageError for a row that is too long, or for a quote that
        nothing closes."""
        with self.path.open("rb") as file:
            rest = itertools.chain(itertools.islice(rows(file), 1, None), [None])
            for row, after in itertools.pairwise(rest):
                assert row is not None
                number, content, whole = row
                if len(content) >= MOST_BYTES:
                    raise UsageError(f"--input {self.path}:{number}: the line has {MOST_BYTES:,} bytes or more")
                if not whole and after is not None:
                    raise UsageError(f"--input {self.path}:{number}: a quote that is opened here is not closed")
                raw = content.removesuffix(b"\n").removesuffix(b"\r")
                if raw.count(b'"') % 2:
                    # Within quotes they are doubled: this one stands where none may, or opens in the last line.
                    yield number, raw, []
                    continue
                try:
                    fields = next(csv.reader([raw.decode(errors="surrogateescape")]), [])
                except csv.Error as error:
                    raise UsageError(f"--input {self.path}:{number}: not a row of CSV: {error}") from error
                yield number, raw, fields


class UploadedFileWithLookup(UploadedFile):
    """An uploaded file whose rows are looked up."""

    def lookup(self) -> Iterator[Mapping[str, str]]:
        """Yields the lines of the file of lookup data."""
        yield from self._found.values()


def _bounded(file: TextIO) -> Iterator[str]:
    """Yields the lines of a text. Raises csv.Error for one that is too long."""
    while line := file.readline(MOST_BYTES + 1):
        if len(line) > MOST_BYTES:
            raise csv.Error(f"a line has more than {MOST_BYTES:,} characters")
        yield line


def _need(names: list[str], header: list[str], where: str) -> None:
    missing = [name for name in names if name not in header]
    if missing:
        raise UsageError(f"{where}: no column {', '.join(missing)}; there is {shorten(', '.join(header), 1000, placeholder=', …')}")
