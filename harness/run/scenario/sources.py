"""Where records come from: the kinds of `source`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, PositiveInt, model_validator

from harness.load.malformed import MALFORMERS
from harness.load.malformed_csv import CSV_FILE_FAULTS
from harness.load.malformed_json import JSON_FILE_FAULTS
from harness.load.orders import ORDER_KINDS
from harness.load.records import RECORD_KINDS
from harness.load.students import STUDENT_KINDS
from harness.run.scenario.part import Part, Share, one_of

OrderKind = Annotated[str, one_of(ORDER_KINDS)]
StudentKind = Annotated[str, one_of(STUDENT_KINDS)]
RecordKind = Annotated[str, one_of(RECORD_KINDS)]
CsvFileFault = Annotated[str, one_of(CSV_FILE_FAULTS)]
JsonFileFault = Annotated[str, one_of(JSON_FILE_FAULTS)]
MalformedKind = Annotated[str, one_of(tuple(MALFORMERS))]


class MalformedPart(Part):
    """A share of the records is spoilt, by each of the kinds in turn (all kinds where none are named)."""

    share: Share
    kinds: Annotated[tuple[MalformedKind, ...], Field(min_length=1)] = tuple(MALFORMERS)


class ClickstreamPart(Part):
    """Synthetic events."""

    kind: Literal["clickstream"]
    records: PositiveInt
    malformed: MalformedPart | None = None
    start: AwareDatetime | None = None


class FilePart(Part):
    """A recorded file, named by --input or by `path`. See harness/load/recorded.py for `event` and `promise`."""

    kind: Literal["file"]
    format: Literal["apache_combined", "ndjson", "csv"]
    id_field: str
    key_field: str
    event: dict[str, Any] | None = None
    promise: dict[str, Any] = Field(default={})
    path: Path | None = None

    @model_validator(mode="after")
    def _needs_event(self) -> FilePart:
        if self.event is None and self.format != "ndjson":
            message = f"event: needed for format {self.format}; only NDJSON lines can be offered as they are"
            raise ValueError(message)
        return self


class MalformedOrdersPart(Part):
    """A share of the rows is spoilt, by each of the kinds in turn (all kinds where none are named)."""

    share: Share
    kinds: Annotated[tuple[OrderKind, ...], Field(min_length=1)] = ORDER_KINDS


class _Files(Part):
    """`records` records in `files` files, of which `file_faults` spoil the last ones as a whole."""

    records: PositiveInt
    files: PositiveInt = 1
    file_faults: tuple[CsvFileFault, ...] = ()

    @model_validator(mode="after")
    def _has_files_to_spoil(self) -> Self:
        if len(self.file_faults) > self.files:
            message = f"file_faults: {len(self.file_faults)} of them, for {self.files} files"
            raise ValueError(message)
        return self


class OrdersPart(_Files):
    """Synthetic orders."""

    kind: Literal["orders"]
    malformed: MalformedOrdersPart | None = None


class MalformedStudentsPart(Part):
    """A share of the rows is spoilt, by each of the kinds in turn (all kinds where none are named)."""

    share: Share
    kinds: Annotated[tuple[StudentKind, ...], Field(min_length=1)] = STUDENT_KINDS


class StudentsPart(_Files):
    """Synthetic students."""

    kind: Literal["students"]
    malformed: MalformedStudentsPart | None = None


class MalformedRecordsPart(Part):
    """A share of the records is spoilt, by each of the kinds in turn (all kinds where none are named)."""

    share: Share
    kinds: Annotated[tuple[RecordKind, ...], Field(min_length=1)] = RECORD_KINDS


class RecordsPart(_Files):
    """Synthetic records, in JSON files."""

    kind: Literal["records"]
    malformed: MalformedRecordsPart | None = None
    file_faults: tuple[JsonFileFault, ...] = ()


class UploadPart(Part):
    """A CSV file as it is, named by --input or by `path`; its rows are the records. See harness/load/uploaded.py for `lookup_key`."""

    kind: Literal["upload"]
    key: str = "input/{name}"
    id_fields: Annotated[tuple[str, ...], Field(min_length=1)]
    lookup_key: str | None = None
    path: Path | None = None


SourcePart = Annotated[
    ClickstreamPart | FilePart | OrdersPart | StudentsPart | RecordsPart | UploadPart, Field(discriminator="kind")
]
