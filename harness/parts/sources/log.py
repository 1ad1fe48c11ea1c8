"""A log file of the user's own, uploaded unchanged: its lines are the records."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal, Self, cast

from pydantic import model_validator
from pydantic_core import to_json

from harness.accounting.record import Record, payload_hash
from harness.documents import MISTYPED, require_regular
from harness.errors import UsageError
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
from harness.parts.sources.lines import MOST_BYTES, input_of, lines
from harness.parts.units import File

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.parts.sources.lines import Line

BLANK = "a blank line"
_BOM = b"\xef\xbb\xbf"
_READ_BYTES = 1 << 20


class Log(Source):
    """A log, named by --input or by `path`, under the key `key` ({name} stands for the file's name). A name that ends in .gz is that of a
    packed file.

    `promise` is a template of what must be stored of a line: strings may hold {field} placeholders, and a string that is a single
    placeholder takes the field's type. The fields are those of the format, `line_number`, and for NDJSON `document`, the whole object.
    Without a template an NDJSON line must be stored with all its fields. The pipeline must drop blank lines."""

    arrival_faults: ClassVar[tuple[str, ...]] = ()

    format: Literal["apache_combined", "ndjson"]
    key: str = "input/{name}"
    promise: dict[str, Any] | None = None
    path: Beside | None = None

    @model_validator(mode="after")
    def _needs_promise(self) -> Self:
        if self.format == "ndjson":
            return self
        if self.promise is None:
            raise ValueError("promise: needed for format apache_combined; only NDJSON lines say themselves what must be stored")
        unknown = sorted(placeholders(self.promise) - {*APACHE_FIELDS, "line_number"})
        if unknown:
            raise ValueError(f"promise: no field {', '.join(unknown)}; there is {', '.join(APACHE_FIELDS)}, line_number")
        return self

    def open(self, context: SourceContext) -> UploadedLog:
        """Returns the file. Raises UsageError where it is missing, or has no line that is not blank."""
        if context.lookup_path is not None:
            raise UsageError("--lookup: this scenario has no use for a file of lookup data")
        log = UploadedLog(input_of(context, self.path), self.key, self.format, self.promise, context.records)
        log.check()
        return log


@dataclass(frozen=True)
class UploadedLog:
    """The lines of `path`, under `key`. A line's id has its number: lines that are equal are still different records."""

    path: Path
    key: str
    format: str
    promise: Mapping[str, Any] | None
    limit: int | None = None

    @property
    def total(self) -> int | None:
        """Returns how many records there are, where --records says it."""
        return self.limit

    def check(self) -> None:
        """Raises UsageError for a file that is missing, empty, cut off or not text."""
        require_regular(self.path, "--input")
        try:
            # Reads the whole file once, so that what cannot be read is reported before anything starts.
            if not sum(record.filtered is None for record in self._records()):
                raise UsageError(f"--input {self.path} has no line that is not blank: there is no record to offer")
        except (OSError, EOFError, zlib.error) as error:
            raise UsageError(
                f"--input {self.path}: {error.strerror if isinstance(error, OSError) and error.strerror else error}"
            ) from error

    def units(self) -> Iterator[File]:
        """Yields the file, with the bytes that it has."""
        name = self.key.replace("{name}", self.path.name)
        yield File(name, self._records, body=self._bytes)

    def _records(self) -> Iterator[Record]:
        for line in self._lines():
            if not line.whole:
                raise UsageError(f"--input {self.path}:{line.number}: the line has more than {MOST_BYTES:,} bytes")
            payload = line.content.removesuffix(b"\n").removesuffix(b"\r")
            if line.number == 1:
                payload = payload.removeprefix(_BOM)
                if b"\0" in payload:
                    raise UsageError(f"--input {self.path} is binary (it has NUL bytes): expected lines of text, as {self.format}")
            yield self._record(line.number, payload)

    def _record(self, number: int, payload: bytes) -> Record:
        record_id = f"{number}-{payload_hash(payload).hex()}"
        if not payload.strip():
            return Record(record_id, payload, None, filtered=BLANK)
        try:
            promised = self._promised(payload, number)
        except MISTYPED:
            promised = None
        return Record(record_id, payload, promised, UNMAPPED if promised is None else None)

    def _promised(self, payload: bytes, number: int) -> bytes | None:
        """Returns what must be stored of a line, None where it is malformed. Raises a member of MISTYPED for a line that lacks a field."""
        if self.format == "ndjson":
            document = json_fields(payload)
            fields = document if document is None else {**document, "document": document}
        else:
            document = None
            fields = apache_fields(payload) if len(payload) <= LONGEST_OF_A_LOG else None
        if fields is None:
            return None
        return to_json(document if self.promise is None else fill(self.promise, {**fields, "line_number": number}))

    def _lines(self) -> Iterator[Line]:
        with gzip.open(self.path) if self._packed else self.path.open("rb") as file:
            for line in lines(cast("BinaryIO", file)):
                if self.limit is not None and line.number > self.limit:
                    return
                yield line

    def _bytes(self) -> Iterator[bytes]:
        if self.limit is None:
            with self.path.open("rb") as file:
                while part := file.read(_READ_BYTES):
                    yield part
        elif self._packed:
            yield gzip.compress(b"".join(line.content for line in self._lines()), mtime=0)
        else:
            yield from (line.content for line in self._lines())

    @property
    def _packed(self) -> bool:
        return self.path.name.endswith(".gz")
