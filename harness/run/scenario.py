"""Scenario files: YAML, checked into frozen models. An unknown key is an error, with its file, line and the keys there are."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from harness.accounting.verdict import ALLOWABLE, ANOMALIES
from harness.errors import UsageError
from harness.faults.plan import Fault, LambdaFault, RecordFault, ServiceFault
from harness.load.malformed import MALFORMERS
from harness.load.malformed_csv import CSV_FILE_FAULTS
from harness.load.orders import ORDER_KINDS
from harness.load.students import STUDENT_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_core import ErrorDetails


def _one_of(names: Iterable[str]) -> Any:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"{value!r} is not one of {', '.join(names)}")
        return value

    return AfterValidator(check)


OrderKind = Annotated[str, _one_of(ORDER_KINDS)]
StudentKind = Annotated[str, _one_of(STUDENT_KINDS)]
FileFault = Annotated[str, _one_of(CSV_FILE_FAULTS)]
MalformedKind = Annotated[str, _one_of(tuple(MALFORMERS))]
Allowable = Annotated[str, _one_of(ALLOWABLE)]
Anomaly = Annotated[str, _one_of(ANOMALIES)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StackPart(_Part):
    """`template` is relative to the scenario file. Parameter values may use ${emulator.python_runtime}."""

    template: Path
    parameters: dict[str, str] = {}


class MalformedPart(_Part):
    """A share of the records is spoilt, by each of the kinds in turn (all kinds where none are named)."""

    share: Share
    kinds: Annotated[tuple[MalformedKind, ...], Field(min_length=1)] = tuple(MALFORMERS)


class ClickstreamPart(_Part):
    """Synthetic events."""

    kind: Literal["clickstream"]
    records: PositiveInt
    malformed: MalformedPart | None = None
    start: AwareDatetime | None = None


class FilePart(_Part):
    """A recorded file, named by --input or by `path`. See harness/load/recorded.py for `event` and `promise`."""

    kind: Literal["file"]
    format: Literal["apache_combined", "ndjson", "csv"]
    id_field: str
    key_field: str
    event: dict[str, Any] | None = None
    promise: dict[str, Any] = {}
    path: Path | None = None

    @model_validator(mode="after")
    def _needs_event(self) -> FilePart:
        if self.event is None and self.format != "ndjson":
            message = f"event: needed for format {self.format}; only NDJSON lines can be offered as they are"
            raise ValueError(message)
        return self


class MalformedOrdersPart(_Part):
    """A share of the rows is spoilt, by each of the kinds in turn (all kinds where none are named)."""

    share: Share
    kinds: Annotated[tuple[OrderKind, ...], Field(min_length=1)] = ORDER_KINDS


class _Files(_Part):
    """`records` rows in `files` CSV files, of which `file_faults` spoil the last ones as a whole."""

    records: PositiveInt
    files: PositiveInt = 1
    file_faults: tuple[FileFault, ...] = ()

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


class MalformedStudentsPart(_Part):
    """A share of the rows is spoilt, by each of the kinds in turn (all kinds where none are named)."""

    share: Share
    kinds: Annotated[tuple[StudentKind, ...], Field(min_length=1)] = STUDENT_KINDS


class StudentsPart(_Files):
    """Synthetic students."""

    kind: Literal["students"]
    malformed: MalformedStudentsPart | None = None


class UploadPart(_Part):
    """A CSV file as it is, named by --input or by `path`; its rows are the records. See harness/load/uploaded.py for `lookup_key`."""

    kind: Literal["upload"]
    key: str = "input/{name}"
    id_fields: Annotated[tuple[str, ...], Field(min_length=1)]
    lookup_key: str | None = None
    path: Path | None = None


class LookupPart(_Part):
    """The source's lookup data goes into this DynamoDB table before the load."""

    table: str


class StagePart(_Part):
    records_per_s: PositiveFloat
    seconds: PositiveFloat


class UnlimitedPart(_Part):
    shape: Literal["unlimited"] = "unlimited"


class ConstantPart(_Part):
    shape: Literal["constant"]
    records_per_s: PositiveFloat


class StagesPart(_Part):
    shape: Literal["stages"]
    stages: Annotated[tuple[StagePart, ...], Field(min_length=1)]


RatePart = Annotated[UnlimitedPart | ConstantPart | StagesPart, Field(discriminator="shape")]


class KinesisPart(_Part):
    """PutRecords to a stream."""

    to: Literal["kinesis"]
    stream: str
    rate: RatePart = UnlimitedPart()


class ApiPart(_Part):
    """One POST per record."""

    to: Literal["api"]
    url: str
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    rate: RatePart = UnlimitedPart()


class S3Part(_Part):
    """One PutObject per file."""

    to: Literal["s3"]
    bucket: str


class S3NdjsonPart(_Part):
    kind: Literal["s3_ndjson"]
    bucket: str
    prefix: str = ""
    id_field: str
    time_field: str | None = None


class S3CsvPart(_Part):
    """CSV objects; their rows have an order."""

    kind: Literal["s3_csv"]
    bucket: str
    prefix: str = ""
    id_fields: Annotated[tuple[str, ...], Field(min_length=1)]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


class FailedFilesPart(_Part):
    """Whole files that were set aside."""

    kind: Literal["failed_files"]
    bucket: str
    prefix: str


class DynamoDbPart(_Part):
    """A DynamoDB table whose items are the stored records."""

    kind: Literal["dynamodb"]
    table: str
    id_fields: Annotated[tuple[str, ...], Field(min_length=1)]


class FailedRowObjectsPart(_Part):
    """NDJSON objects of rows that could not be processed."""

    kind: Literal["failed_row_objects"]
    bucket: str
    prefix: str = ""


class FailedRowsPart(_Part):
    """A DynamoDB table of rows that could not be processed."""

    kind: Literal["failed_rows"]
    table: str


class QueuePart(_Part):
    """`dead_letters`: envelopes with the payload; `failed_batches`: a mapping's on-failure destination; `alerts`."""

    kind: Literal["dead_letters", "failed_batches", "alerts"]
    queue_url: str


ProbePart = Annotated[
    S3NdjsonPart | S3CsvPart | DynamoDbPart | FailedFilesPart | FailedRowsPart | FailedRowObjectsPart | QueuePart,
    Field(discriminator="kind"),
]
_FILES = (OrdersPart, StudentsPart, UploadPart)


class ChaosPart(_Part):
    """The seed picks `pick` of the faults in `of` (which say no calls or invocations), and a window of events for each: it begins with one
    of the first `begin` events and is 1 to `length` long."""

    pick: PositiveInt
    of: Annotated[tuple[Fault, ...], Field(min_length=1)]
    begin: PositiveInt = 4
    length: PositiveInt = 3


class Scenario(_Part):
    """One named load on one stack. Strings may use ${outputs.NAME} of the stack, ${endpoint} and ${emulator.python_runtime}."""

    description: str
    seed: int = 1
    stack: StackPart
    source: Annotated[ClickstreamPart | FilePart | OrdersPart | StudentsPart | UploadPart, Field(discriminator="kind")]
    lookup: LookupPart | None = None
    send: Annotated[KinesisPart | ApiPart | S3Part, Field(discriminator="to")]
    probes: Annotated[tuple[ProbePart, ...], Field(min_length=1)]
    faults: tuple[Fault, ...] = ()
    chaos: ChaosPart | None = None
    # Faults end when the pipeline has come to rest, or after this time; then it has `drain_timeout_s` to recover.
    faults_timeout_s: PositiveFloat = 60
    drain_timeout_s: PositiveFloat = 120
    allow: dict[Allowable, int] = {}

    @model_validator(mode="after")
    def _has_something_to_look_up(self) -> Scenario:
        if self.lookup is not None and not isinstance(self.source, OrdersPart | UploadPart):
            message = f"lookup: a source of kind {self.source.kind} has nothing to look up"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _files_go_to_s3(self) -> Scenario:
        if isinstance(self.send, S3Part) != isinstance(self.source, _FILES):
            message = (
                f"send: a source of kind {self.source.kind} cannot go to {self.send.to}; files go to s3, and nothing else does"
            )
            raise ValueError(message)
        return self


def load_scenario(path: Path) -> Scenario:
    """Reads and checks a scenario file. Raises UsageError that names file, line, key and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except OSError as error:
        message = f"scenario {path}: {error.strerror}"
        raise UsageError(message) from error
    except UnicodeDecodeError as error:
        message = f"scenario {path} is not UTF-8 text"
        raise UsageError(message) from error
    except yaml.YAMLError as error:
        message = f"scenario {path} is not YAML: {error}"
        raise UsageError(message) from error
    if not isinstance(document, dict):
        message = f"scenario {path} is not a mapping: expected keys such as {', '.join(Scenario.model_fields)}"
        raise UsageError(message)
    try:
        scenario = Scenario.model_validate(document)
    except ValidationError as error:
        lines = [_explain(detail, node, path) for detail in error.errors(include_url=False)]
        raise UsageError("\n".join(lines)) from error
    template = (path.parent / scenario.stack.template).resolve()
    return scenario.model_copy(update={"stack": scenario.stack.model_copy(update={"template": template})})


_MODELS: dict[tuple[int | str, ...], type[BaseModel]] = {
    ("source", "clickstream"): ClickstreamPart, ("source", "file"): FilePart, ("send", "kinesis"): KinesisPart, ("send", "api"): ApiPart,
    ("stack",): StackPart, ("source", "clickstream", "malformed"): MalformedPart, ("lookup",): LookupPart,
    ("source", "orders"): OrdersPart, ("source", "orders", "malformed"): MalformedOrdersPart, ("source", "upload"): UploadPart,
    ("source", "students"): StudentsPart, ("source", "students", "malformed"): MalformedStudentsPart,
    ("send", "s3"): S3Part,
}  # fmt: skip


def _explain(detail: ErrorDetails, node: yaml.Node | None, path: Path) -> str:
    # pydantic puts the tag of a union's member into the place; the file has no such key.
    place = detail["loc"]
    keys = [part for part in place if not _is_tag(part, place, node)]
    name = ".".join(str(key) for key in keys) or "the scenario"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        allowed = list(_model_at(place[:-1]).model_fields)
        near = difflib.get_close_matches(str(place[-1]), allowed, n=1)
        message = f"unknown key; did you mean {near[0]}?" if near else "unknown key"
        message += f" Allowed here: {', '.join(allowed)}"
    return f"{path}:{_line(node, keys)}: {name}: {message}"


def _model_at(place: tuple[int | str, ...]) -> type[BaseModel]:
    if place in _MODELS:
        return _MODELS[place]
    tags: dict[int | str, type[BaseModel]] = {
        "s3_ndjson": S3NdjsonPart,
        "s3_csv": S3CsvPart,
        "failed_files": FailedFilesPart,
        "failed_rows": FailedRowsPart,
        "failed_row_objects": FailedRowObjectsPart,
        "dynamodb": DynamoDbPart,
        "constant": ConstantPart,
        "stages": StagesPart,
        "unlimited": UnlimitedPart,
    }
    for model in (ServiceFault, LambdaFault, RecordFault):
        tags |= dict.fromkeys(get_args(model.model_fields["kind"].annotation), model)
    tags["chaos"] = ChaosPart
    tags |= dict.fromkeys(("dead_letters", "failed_batches", "alerts"), QueuePart)
    for part in reversed(place):
        if part in tags:
            return tags[part]
    return Scenario


def _child(node: yaml.Node | None, key: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None


def _is_tag(part: int | str, place: tuple[int | str, ...], node: yaml.Node | None) -> bool:
    before = place[: place.index(part)]
    for key in before:
        node = _child(node, key) or node
    if not isinstance(node, yaml.MappingNode) or _child(node, part) is not None:
        return False
    tags = {value.value for name, value in node.value if name.value in {"kind", "to", "shape"}}
    return part in tags


def _line(node: yaml.Node | None, keys: list[int | str]) -> int:
    """The line (from 1) of the key, or of the innermost part of its place that is there."""
    line = node.start_mark.line if node is not None else 0
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if name.value == str(key):
                    line = name.start_mark.line
        node = _child(node, key)
        if node is None:
            break
        if isinstance(key, int):
            line = node.start_mark.line
    return line + 1


_REFERENCE = re.compile(r"\$\{([^}]+)\}")


def substitute(text: str, values: Mapping[str, str], where: str) -> str:
    """Replaces ${name} by its value. Raises UsageError with the names there are for one that is not among them."""

    def value(match: re.Match[str]) -> str:
        try:
            return values[match[1]]
        except KeyError:
            near = difflib.get_close_matches(match[1], values, n=3) or sorted(values)
            message = f"{where}: ${{{match[1]}}} is not known; there is {', '.join(near)}"
            raise UsageError(message) from None

    return _REFERENCE.sub(value, text)
