"""A scenario: one named load on one stack, what is broken meanwhile, and where its records may end."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt

from harness.accounting.verdict import ALLOWABLE
from harness.faults.plan import EventFault, Fault
from harness.parts.part import MOST_RECORDS, Beside, NotEmpty, Part, Seconds, one_of
from harness.parts.ports import Actor, Check, Ingress, Probe, Source
from harness.scenario.setup import SetupPart

# A century, of which dates can still be counted.
_MOST_HOURS = 876_000
Allowable = Annotated[str, one_of(ALLOWABLE)]


class StackPart(Part):
    """`template` is relative to the scenario file. Parameter values may use ${account}, ${endpoint} and ${emulator.python_runtime}."""

    template: Beside
    parameters: dict[str, str] = Field(default={})


class LookupPart(Part):
    """The DynamoDB table that takes the source's lookup data before the load."""

    table: str


def _alone(faults: tuple[Any, ...]) -> tuple[Any, ...]:
    if any(getattr(fault, "follows", None) for fault in faults):
        raise ValueError("after and repeats name another fault, which may not be picked: write such a pair as faults")
    return faults


class ChaosPart(Part):
    """The seed picks `pick` of the faults in `of`, which name no calls or invocations, and a window of events for each.

    A window begins with one of the first `begin` events and is 1 to `length` events long."""

    pick: PositiveInt
    of: Annotated[tuple[EventFault, ...], NotEmpty, AfterValidator(_alone)]
    begin: Annotated[int, Field(gt=0, le=MOST_RECORDS)] = 4
    length: Annotated[int, Field(gt=0, le=MOST_RECORDS)] = 3


class SchedulesPart(Part):
    """What becomes of the rules and schedules that the clock would start. Once the pipeline is at rest they are fired, all of them and up to
    `rounds` times, until that changes nothing more. With `fire: false` each of them is a doubt. Those whose name matches a pattern in
    `ignore` have no part in what is stored."""

    fire: bool = True
    ignore: tuple[str, ...] = ()
    rounds: Annotated[int, Field(gt=0, le=1000)] = 20


class Scenario(Part):
    """One named load on one stack. Strings may use ${outputs.NAME}, ${resources.LOGICAL_ID} and ${resources.LOGICAL_ID.ATTRIBUTE} of the stack, ${account},
    ${endpoint} and ${emulator.python_runtime}."""

    description: str
    seed: NonNegativeInt = 1
    stack: StackPart
    source: Source
    lookup: LookupPart | None = None
    setup: SetupPart = SetupPart()
    send: Ingress
    actors: tuple[Actor, ...] = ()
    probes: Annotated[tuple[Probe, ...], NotEmpty]
    checks: tuple[Check, ...] = ()
    faults: tuple[Fault, ...] = ()
    chaos: ChaosPart | None = None
    # Faults end when the pipeline has come to rest, or after this time; then it has `drain_timeout_s` to recover.
    faults_timeout_s: Seconds = 60
    drain_timeout_s: Seconds = 120
    # What becomes of calls that the roles' and resources' policies do not allow: denied as on AWS, only told, or not looked at.
    iam: Literal["enforce", "report", "off"] = "report"
    schedules: SchedulesPart = SchedulesPart()
    # What is stored must stay there for so long: what removes it sooner is a doubt.
    kept_for_hours: Annotated[float, Field(gt=0, le=_MOST_HOURS)] = 48
    allow: dict[Allowable, NonNegativeInt | Literal["all"]] = Field(default={})

    @property
    def allowed(self) -> dict[str, float]:
        """Returns how many of each anomaly do not fail the run."""
        return {name: math.inf if many == "all" else many for name, many in self.allow.items()}

    def document(self) -> dict[str, Any]:
        """Returns the scenario as plain data, from which `scenario_of` makes an equal one. Its paths are absolute."""
        return self.model_dump(mode="json", serialize_as_any=True, exclude_unset=True)
