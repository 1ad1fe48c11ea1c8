"""A file of the user's own: an Apache combined log, NDJSON or CSV, whose lines the scenario maps to events.

A line that cannot be read or mapped is offered unchanged: the pipeline must dead-letter it, and the harness must not drop it.
"""

from __future__ import annotations

import csv
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import to_json

from harness.accounting.record import Record, payload_hash
from harness.documents import MISTYPED, require_regular
from harness.errors import UsageError
from harness.parts.formats.json_malformers import JSON_MALFORMERS
from harness.parts.part import Beside
from harness.parts.ports import Source, SourceContext
from harness.parts.sources.line_formats import (
    APACHE_FIELDS,
    LONGEST_OF_A_LOG,
    UNMAPPED,
    apache_fields,
    fill,
    json_fields,
    placeholders,
)
from harness.parts.sources.lines import MOST_BYTES, header_of, input_of, lines, rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.parts.ports import Malformer

Format = Literal["apache_combined", "ndjson", "csv"]

_PROBE_BYTES = 8192


class RecordedFile(Source):
    """A recorded file, named by --input or by `path`. RecordedLines documents `event` and `promise`."""

    format: Format
    id_field: str
    key_field: str
    event: dict[str, Any] | None = None
    promise: dict[str, Any] = Field(default={})
    path: Beside | None = None

    @model_validator(mode="after")
    def _needs_event(self) -> Self:
        if self.event is None and self.format != "ndjson":
            raise ValueError(f"event: needed for format {self.format}; only NDJSON lines can be offered unchanged")
        return self

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        return JSON_MALFORMERS

    def open(self, context: SourceContext) -> RecordedLines:
        """Returns the lines. Raises UsageError for a file that is missing, empty or binary, or that lacks a field of the mapping."""
        if context.lookup_path is not None:
            raise UsageError("--lookup: this scenario has no use for a file of lookup data")
        lines = RecordedLines(
            input_of(context, self.path), self.format, self.event, self.promise, self.id_field, self.key_field, context.records
        )
        lines.check()
        return lines


@dataclass(frozen=True)
class RecordedLines:
    """The lines of `path` as records.

    `event` is a template of the payload: strings may hold {field} placeholders, and a string that is a single placeholder takes the
    field's type. The fields are those of the format, `record_id` and `line_number`. Without a template (NDJSON only) the line is
    offered unchanged. `promise` is a template of what must be found besides the event's own fields. `id_field` and `key_field` name
    the fields of the payload that hold the record's id and its partition key."""

    path: Path
    format: Format
    event: Mapping[str, Any] | None
    promise: Mapping[str, Any]
    id_field: str
    key_field: str
    limit: int | None = None

    @property
    def total(self) -> int | None:
        """Returns how many records there are, where --records says it."""
        return self.limit

    def check(self) -> None:
        """Raises UsageError for a file that is missing, empty or binary."""
        require_regular(self.path, "--input")
        try:
            with self.path.open("rb") as file:
                head = file.read(_PROBE_BYTES)
        except OSError as error:
            message = f"--input {self.path}: {error.strerror}"
            raise UsageError(message) from error
        if not head.strip():
            message = f"--input {self.path} is empty: there is no record to offer"
            raise UsageError(message)
        if b"\0" in head:
            message = f"--input {self.path} is binary (it has NUL bytes): expected lines of text, as {self.format}"
            raise UsageError(message)
        self._check_fields()

    def _check_fields(self) -> None:
        """Raises UsageError for a placeholder that no line can fill: every line would look malformed, and the run would prove nothing."""
        offered = self._fields_offered()
        if offered is None:
            return
        unknown = sorted(placeholders([self.event, self.promise]) - offered)
        if unknown:
            known = ", ".join(sorted(offered))
            raise UsageError(
                f"--input {self.path}: no field {', '.join(unknown)} for the scenario's event or promise; there is {known}"
            )

    def _fields_offered(self) -> set[str] | None:
        """Returns the fields of every line, or None where lines may differ (NDJSON)."""
        own = {"record_id", "line_number"}
        match self.format:
            case "apache_combined":
                return own | set(APACHE_FIELDS)
            case "csv":
                return own | set(header_of(self.path, "--input"))
            case _:
                return None

    def units(self) -> Iterator[Record]:
        """Yields a record per line."""
        for index, (number, line, fields) in enumerate(self._lines()):
            if self.limit is not None and index >= self.limit:
                return
            yield self._record(number, line, fields)

    def _record(self, number: int, line: bytes, fields: dict[str, Any] | None) -> Record:
        # Lines that are equal are still different records: the id has the line's number.
        record_id = f"{number}-{payload_hash(line).hex()}"
        unmapped = Record(record_id, line, None, UNMAPPED, record_id[:256])
        if fields is None:
            return unmapped
        try:
            if self.event is None:
                payload, document = line, fields
                record_id = str(document[self.id_field])
            else:
                values = {**fields, "record_id": record_id, "line_number": number}
                document = fill(self.event, values)
                payload = to_json(document)
                record_id = str(document[self.id_field])
            promised = to_json({**document, **fill(self.promise, {**fields, "record_id": record_id, "line_number": number})})
            key = str(document[self.key_field])[:256]
            # The line has an empty id: an ingress refuses records without one.
            record_id = record_id or f"line {number}"
        except MISTYPED:
            # Whatever is wrong with a line: a field that it lacks, a number of thousands of digits, a text that is no Unicode.
            return unmapped
        return Record(record_id, payload, promised, None, key or record_id)

    def _lines(self) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
        """Yields the line number, the line without its end, and its fields or None."""
        if self.format == "csv":
            yield from self._rows()
            return
        read, longest = (apache_fields, LONGEST_OF_A_LOG) if self.format == "apache_combined" else (json_fields, MOST_BYTES)
        with self.path.open("rb") as file:
            for number, line, whole in lines(file):
                content = line.rstrip(b"\r\n")
                if content:
                    yield number, content, read(content) if whole and len(content) <= longest else None

    def _rows(self) -> Iterator[tuple[int, bytes, dict[str, Any] | None]]:
        """Yields the rows of a CSV file with a header. A row with more or fewer columns has no fields."""
        header = header_of(self.path, "--input")
        with self.path.open("rb") as file:
            for number, line, whole in itertools.islice(rows(file), 1, None):
                content = line.rstrip(b"\r\n")
                if content:
                    yield number, content, _csv_fields(content, header) if whole else None


def _csv_fields(line: bytes, header: list[str]) -> dict[str, Any] | None:
    try:
        [row] = csv.reader([line.decode("utf-8", "surrogateescape")])
    except (csv.Error, ValueError):
        return None
    return dict(zip(header, row, strict=True)) if len(row) == len(header) else None
