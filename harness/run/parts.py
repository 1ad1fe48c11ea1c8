"""From a scenario's parts to the objects that do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never, cast

from harness.accounting.probes.alerts import AlertProbe
from harness.accounting.probes.dead_letters import DeadLetterProbe
from harness.accounting.probes.dynamodb import DynamoDbProbe
from harness.accounting.probes.failed_batches import FailedBatchProbe
from harness.accounting.probes.failed_files import FailedFilesProbe
from harness.accounting.probes.failed_rows import FailedRowObjectsProbe, FailedRowsProbe
from harness.accounting.probes.s3_csv import S3CsvProbe
from harness.accounting.probes.s3_ndjson import S3NdjsonProbe
from harness.emulator.stack.template import load_template
from harness.errors import UsageError
from harness.faults.chaos import mix
from harness.faults.check import check_plan
from harness.faults.plan import RecordFault, named
from harness.load.clickstream import DEFAULT_START, ClickstreamSource
from harness.load.faulty import RECORD_FAULTS, ROW_FAULTS, SCHEMA_FREE, FaultyFiles, FaultySource
from harness.load.malformed_csv import CSV_MALFORMERS
from harness.load.malformed_json import JSON_MALFORMERS
from harness.load.offers import offer, offer_files
from harness.load.orders import OrdersSource
from harness.load.rate import Constant, RateShape, Stage, Stages, Unlimited
from harness.load.recorded import RecordedSource
from harness.load.records import DUPLICATE_ID, RecordsSource
from harness.load.senders.api import ApiSender
from harness.load.senders.kinesis import KinesisSender
from harness.load.senders.s3 import S3Sender
from harness.load.students import DUPLICATE_KEY, STUDENT_ROW_FAULTS, StudentsSource
from harness.load.uploaded import UploadedSource
from harness.run.scenario.observed import (
    DynamoDbPart,
    FailedFilesPart,
    FailedRowObjectsPart,
    FailedRowsPart,
    QueuePart,
    S3CsvPart,
    S3NdjsonPart,
)
from harness.run.scenario.references import substitute
from harness.run.scenario.sources import ClickstreamPart, FilePart, OrdersPart, RecordsPart, StudentsPart, UploadPart
from harness.run.scenario.targets import ApiPart, ConstantPart, KinesisPart, S3Part, StagesPart, UnlimitedPart

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping, Sequence
    from pathlib import Path

    from harness.accounting.probes.probe import Probe
    from harness.emulator.clients import Clients
    from harness.faults.plan import Plan as Faults
    from harness.load.files import FileSource
    from harness.load.offers import Offer
    from harness.load.senders.sender import Sender
    from harness.load.source import Source
    from harness.run.scenario.observed import ProbePart
    from harness.run.scenario.scenario import Scenario
    from harness.run.scenario.targets import RatePart


def make_plan(scenario: Scenario, seed: int) -> Faults:
    """The scenario's faults and those that chaos picks, each with an id and a seed of its own. Raises UsageError for what can meet nothing."""
    faults = scenario.faults
    template = load_template(scenario.stack.template)
    malformers = _malformers(scenario)
    if scenario.chaos is not None:
        part = scenario.chaos
        check_plan(part.of, template, malformers, "chaos.of")
        faults += mix(part.of, seed, pick=part.pick, begin=part.begin, length=part.length)
    plan = named(faults, seed)
    check_plan(plan, template, malformers, "faults")
    return plan


def _malformers(scenario: Scenario) -> Collection[str]:
    match scenario.source:
        case FilePart():
            return SCHEMA_FREE
        case OrdersPart():
            return ROW_FAULTS
        case StudentsPart():
            return STUDENT_ROW_FAULTS
        case RecordsPart():
            return tuple(JSON_MALFORMERS)
        case UploadPart():
            return ()
        case _:
            return RECORD_FAULTS


def make_source(
    scenario: Scenario,
    seed: int,
    records: int | None,
    input_path: Path | None,
    faults: Faults = (),
    lookup_path: Path | None = None,
) -> Source:
    """The source, with the record faults of the plan; raises UsageError where a file is missing, unreadable, or means nothing to it."""
    record_faults = [fault for fault in faults if isinstance(fault, RecordFault)]
    if lookup_path is not None and not isinstance(scenario.source, UploadPart):
        message = "--lookup: this scenario has no use for a file of lookup data"
        raise UsageError(message)
    malformed = getattr(scenario.source, "malformed", None)
    if record_faults and malformed and {DUPLICATE_ID, DUPLICATE_KEY} & set(malformed.kinds):
        # Spoilt, the first of two would leave the second one good.
        message = "source.malformed.kinds: duplicates and record faults exclude each other; name the kinds without them"
        raise UsageError(message)
    match scenario.source:
        case OrdersPart() | StudentsPart() | RecordsPart() | UploadPart():
            files = make_files(scenario, seed, records, input_path, lookup_path)
            malformers = JSON_MALFORMERS if isinstance(scenario.source, RecordsPart) else CSV_MALFORMERS
            return FaultyFiles(files, record_faults, malformers) if record_faults else files
        case _:
            source = _make_source(scenario, seed, records, input_path)
            return FaultySource(source, record_faults) if record_faults else source


_FILE_SOURCES: dict[str, type[OrdersSource | StudentsSource | RecordsSource]] = {
    "orders": OrdersSource,
    "students": StudentsSource,
    "records": RecordsSource,
}


def make_files(
    scenario: Scenario, seed: int, records: int | None, input_path: Path | None, lookup_path: Path | None = None
) -> FileSource:
    """The same for sources of files, without faults."""
    match scenario.source:
        case OrdersPart() | StudentsPart() | RecordsPart() as part:
            _no_input(input_path)
            malformed = part.malformed
            return _FILE_SOURCES[part.kind](
                seed=seed,
                records=records or part.records,
                files=part.files,
                malformed_share=malformed.share if malformed else 0.0,
                malformed_kinds=malformed.kinds if malformed else (),
                file_faults=part.file_faults,
            )
        case UploadPart() as part:
            path = _input(input_path or part.path)
            source = UploadedSource(path, part.key, part.id_fields, part.lookup_key, lookup_path, records)
            source.check()
            return source
        case other:
            message = f"a source of kind {other.kind} makes no files"
            raise AssertionError(message)


def _no_input(input_path: Path | None) -> None:
    if input_path is not None:
        message = "--input: this scenario makes its own records; scenarios whose source is a file take --input"
        raise UsageError(message)


def _input(path: Path | None) -> Path:
    if path is None:
        message = "this scenario replays a file: name it with --input FILE"
        raise UsageError(message)
    return path


def _make_source(scenario: Scenario, seed: int, records: int | None, input_path: Path | None) -> Source:
    match scenario.source:
        case ClickstreamPart() as part:
            _no_input(input_path)
            malformed = part.malformed
            return ClickstreamSource(
                seed=seed,
                records=records or part.records,
                malformed_share=malformed.share if malformed else 0.0,
                malformed_kinds=malformed.kinds if malformed else (),
                start=part.start or DEFAULT_START,
            )
        case FilePart() as part:
            path = _input(input_path or part.path)
            source = RecordedSource(path, part.format, part.event, part.promise, part.id_field, part.key_field, records)
            source.check()
            return source
        case other:
            message = f"a source of kind {other.kind} makes no single records"
            raise AssertionError(message)


def make_offers(
    scenario: Scenario, source: Source, clients: Clients, values: Mapping[str, str], scratch: Path
) -> Generator[Sequence[Offer]]:
    """Hands every record of the source over, at its time; yields each with its answer, a batch at a time."""
    if isinstance(scenario.send, S3Part):
        bucket = substitute(scenario.send.bucket, values, "send.bucket")
        return offer_files(cast("FileSource", source), S3Sender(clients, bucket, scratch))
    return offer(source, make_sender(scenario, clients, values), make_rate(scenario.send.rate))


def make_sender(scenario: Scenario, clients: Clients, values: Mapping[str, str]) -> Sender:
    """The sender of single records, with the stack's outputs filled in."""
    match scenario.send:
        case KinesisPart() as part:
            return KinesisSender(clients, substitute(part.stream, values, "send.stream"))
        case ApiPart() as part:
            return ApiSender(substitute(part.url, values, "send.url"), part.concurrency)
        case S3Part():
            message = "files are offered as files"
            raise AssertionError(message)
        case other:
            assert_never(other)


def make_rate(part: RatePart) -> RateShape:
    match part:
        case UnlimitedPart():
            return Unlimited()
        case ConstantPart():
            return Constant(part.records_per_s)
        case StagesPart():
            return Stages([Stage(stage.records_per_s, stage.seconds) for stage in part.stages])
        case other:
            assert_never(other)


_QUEUES: dict[str, type[DeadLetterProbe | FailedBatchProbe | AlertProbe]] = {
    "dead_letters": DeadLetterProbe,
    "failed_batches": FailedBatchProbe,
    "alerts": AlertProbe,
}


def make_probes(scenario: Scenario, clients: Clients, values: Mapping[str, str]) -> list[Probe]:
    """The probes, with the stack's outputs filled in."""
    return [_make_probe(part, clients, values, f"probes.{number}") for number, part in enumerate(scenario.probes)]


def _make_probe(part: ProbePart, clients: Clients, values: Mapping[str, str], where: str) -> Probe:
    match part:
        case S3NdjsonPart():
            bucket = substitute(part.bucket, values, f"{where}.bucket")
            return S3NdjsonProbe(clients, bucket, part.prefix, part.id_field, part.time_field)
        case S3CsvPart():
            bucket = substitute(part.bucket, values, f"{where}.bucket")
            return S3CsvProbe(clients, bucket, part.prefix, part.id_fields, part.delimiter)
        case FailedFilesPart():
            return FailedFilesProbe(clients, substitute(part.bucket, values, f"{where}.bucket"), part.prefix)
        case DynamoDbPart():
            return DynamoDbProbe(clients, substitute(part.table, values, f"{where}.table"), part.id_fields)
        case FailedRowObjectsPart():
            return FailedRowObjectsProbe(clients, substitute(part.bucket, values, f"{where}.bucket"), part.prefix)
        case FailedRowsPart():
            return FailedRowsProbe(clients, substitute(part.table, values, f"{where}.table"))
        case QueuePart():
            return _QUEUES[part.kind](clients, substitute(part.queue_url, values, f"{where}.queue_url"))
        case other:
            assert_never(other)
