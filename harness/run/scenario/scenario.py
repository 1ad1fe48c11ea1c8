"""A scenario: one named load on one stack, what is broken meanwhile, and where its records may end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from harness.accounting.verdict import ALLOWABLE
from harness.faults.plan import Fault
from harness.run.scenario.observed import ProbePart
from harness.run.scenario.part import Part, one_of
from harness.run.scenario.sources import OrdersPart, RecordsPart, SourcePart, StudentsPart, UploadPart
from harness.run.scenario.targets import S3Part, SendPart

Allowable = Annotated[str, one_of(ALLOWABLE)]
_FILES = (OrdersPart, StudentsPart, RecordsPart, UploadPart)


class StackPart(Part):
    """`template` is relative to the scenario file. Parameter values may use ${emulator.python_runtime}."""

    template: Path
    parameters: dict[str, str] = Field(default={})


class LookupPart(Part):
    """The source's lookup data goes into this DynamoDB table before the load."""

    table: str


class ChaosPart(Part):
    """The seed picks `pick` of the faults in `of` (which say no calls or invocations), and a window of events for each: it begins with one
    of the first `begin` events and is 1 to `length` long."""

    pick: PositiveInt
    of: Annotated[tuple[Fault, ...], Field(min_length=1)]
    begin: PositiveInt = 4
    length: PositiveInt = 3


class Scenario(Part):
    """One named load on one stack. Strings may use ${outputs.NAME} of the stack, ${endpoint} and ${emulator.python_runtime}."""

    description: str
    seed: int = 1
    stack: StackPart
    source: SourcePart
    lookup: LookupPart | None = None
    send: SendPart
    probes: Annotated[tuple[ProbePart, ...], Field(min_length=1)]
    faults: tuple[Fault, ...] = ()
    chaos: ChaosPart | None = None
    # Faults end when the pipeline has come to rest, or after this time; then it has `drain_timeout_s` to recover.
    faults_timeout_s: PositiveFloat = 60
    drain_timeout_s: PositiveFloat = 120
    allow: dict[Allowable, int] = Field(default={})

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
