"""From a scenario's parts to the objects that do the work."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from harness.accounting.probes.alerts import AlertProbe
from harness.accounting.probes.dead_letters import DeadLetterProbe
from harness.accounting.probes.failed_batches import FailedBatchProbe
from harness.accounting.probes.s3_ndjson import S3NdjsonProbe
from harness.emulator.stack.template import load_template
from harness.errors import UsageError
from harness.faults.chaos import mix
from harness.faults.check import check_plan
from harness.faults.plan import RecordFault, named
from harness.load.clickstream import DEFAULT_START, ClickstreamSource
from harness.load.faulty import RECORD_FAULTS, SCHEMA_FREE, FaultySource
from harness.load.rate import Constant, RateShape, Stage, Stages, Unlimited
from harness.load.recorded import RecordedSource
from harness.load.senders.api import ApiSender
from harness.load.senders.kinesis import KinesisSender
from harness.run.scenario import (
    ApiPart,
    ClickstreamPart,
    ConstantPart,
    FilePart,
    KinesisPart,
    S3NdjsonPart,
    StagesPart,
    UnlimitedPart,
    substitute,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.accounting.probes.probe import Probe
    from harness.emulator.clients import Clients
    from harness.faults.plan import Plan as Faults
    from harness.load.senders.sender import Sender
    from harness.load.source import Source
    from harness.run.scenario import RatePart, Scenario


def make_plan(scenario: Scenario, seed: int) -> Faults:
    """The scenario's faults and those that chaos picks, each with an id and a seed of its own. Raises UsageError for what can meet nothing."""
    faults = scenario.faults
    template = load_template(scenario.stack.template)
    malformers = SCHEMA_FREE if isinstance(scenario.source, FilePart) else RECORD_FAULTS
    if scenario.chaos is not None:
        part = scenario.chaos
        check_plan(part.of, template, malformers, "chaos.of")
        faults += mix(part.of, seed, pick=part.pick, begin=part.begin, length=part.length)
    plan = named(faults, seed)
    check_plan(plan, template, malformers, "faults")
    return plan


def make_source(scenario: Scenario, seed: int, records: int | None, input_path: Path | None, faults: Faults = ()) -> Source:
    """The source, with the record faults of the plan; raises UsageError where --input is missing, unreadable, or means nothing to it."""
    source = _make_source(scenario, seed, records, input_path)
    record_faults = [fault for fault in faults if isinstance(fault, RecordFault)]
    return FaultySource(source, record_faults) if record_faults else source


def _make_source(scenario: Scenario, seed: int, records: int | None, input_path: Path | None) -> Source:
    """Raises UsageError where --input is missing, unreadable, or means nothing to it."""
    match scenario.source:
        case ClickstreamPart() as part:
            if input_path is not None:
                message = "--input: this scenario makes its own records; scenarios whose source is a file take --input"
                raise UsageError(message)
            malformed = part.malformed
            return ClickstreamSource(
                seed=seed,
                records=records or part.records,
                malformed_share=malformed.share if malformed else 0.0,
                malformed_kinds=malformed.kinds if malformed else (),
                start=part.start or DEFAULT_START,
            )
        case FilePart() as part:
            path = input_path or part.path
            if path is None:
                message = "this scenario replays a file: name it with --input FILE"
                raise UsageError(message)
            source = RecordedSource(path, part.format, part.event, part.promise, part.id_field, part.key_field, records)
            source.check()
            return source
        case other:
            assert_never(other)


def make_sender(scenario: Scenario, clients: Clients, values: Mapping[str, str]) -> Sender:
    """The sender, with the stack's outputs filled in."""
    match scenario.send:
        case KinesisPart() as part:
            return KinesisSender(clients, substitute(part.stream, values, "send.stream"))
        case ApiPart() as part:
            return ApiSender(substitute(part.url, values, "send.url"), part.concurrency)
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


def make_probes(scenario: Scenario, clients: Clients, values: Mapping[str, str]) -> list[Probe]:
    """The probes, with the stack's outputs filled in."""
    probes: list[Probe] = []
    for number, part in enumerate(scenario.probes):
        where = f"probes.{number}"
        if isinstance(part, S3NdjsonPart):
            bucket = substitute(part.bucket, values, f"{where}.bucket")
            probes.append(S3NdjsonProbe(clients, bucket, part.prefix, part.id_field, part.time_field))
            continue
        url = substitute(part.queue_url, values, f"{where}.queue_url")
        match part.kind:
            case "dead_letters":
                probes.append(DeadLetterProbe(clients, url))
            case "failed_batches":
                probes.append(FailedBatchProbe(clients, url))
            case "alerts":
                probes.append(AlertProbe(clients, url))
    return probes
