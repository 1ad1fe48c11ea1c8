"""What a run reports while it goes on. The engine yields these events; reporters consume them and compute nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.accounting.verdict import Account, Verdict
    from harness.emulator.emulator import Description
    from harness.emulator.permissions import Denied


@dataclass(frozen=True, slots=True)
class RunStarted:
    scenario: str
    description: str
    seed: int
    started_at: str
    command: str
    run_dir: Path
    emulator_choice: str


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """The phases are emulator, deploy, lookup, load, faults, drain, act, observe, reconcile and check, in this order."""

    phase: str
    text: str


@dataclass(frozen=True, slots=True)
class EmulatorPreparing:
    """A step that takes long and is done once, such as building an image."""

    step: str


@dataclass(frozen=True, slots=True)
class EmulatorReady:
    emulator: Description
    start_s: float


@dataclass(frozen=True, slots=True)
class StackDeployed:
    """`runtimes` are those of the stack's functions that run on another one, with that. `ignored` is what the emulator cannot make, and was let go."""

    outputs: Mapping[str, str]
    deploy_s: float
    runtimes: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadProgress:
    offered: int
    acked: int
    rejected: int
    indeterminate: int
    total: int | None
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class DrainProgress:
    """`waiting_for` says in words what is still under way."""

    waiting_for: str
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class ActorActed:
    """An actor has done something; `text` says what."""

    actor: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckFinished:
    """A check has been made. `text` says what was expected and what is there."""

    check: str
    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the policies did not allow: denied where the mode is enforce, and let through where it is report."""

    mode: str
    denied: tuple[Denied, ...] = ()


@dataclass(frozen=True, slots=True)
class Classes:
    """Of the classes of the source's inputs: those that were offered, with the number of their records or files, and those that were not.
    `note` says where the load was too small for what the scenario asks for. `volume` has the number of `records` and of `files`
    that were offered as files."""

    exercised: Mapping[str, int] = field(default_factory=dict)
    not_exercised: tuple[str, ...] = ()
    note: str = ""
    volume: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of each phase. `records_per_s` divides the offered records by the time from the first offer to rest."""

    start_s: float = 0.0
    deploy_s: float = 0.0
    load_s: float = 0.0
    drain_s: float = 0.0
    total_s: float = 0.0
    records_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Cause:
    """What a function has raised, or an execution of a state machine has failed with: who, the first message, how often, and how many of these met a planned
    fault. `record` is the first that an event of it carried."""

    who: str
    error: str
    count: int
    planned: int
    record: str | None


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last event of every run, also of one that could not be finished."""

    scenario: str
    seed: int
    started_at: str
    command: str
    run_dir: Path
    emulator: Description | None
    verdict: Verdict
    account: Account
    timing: Timing
    payload_sha256: str
    faults: tuple[Mapping[str, Any], ...] = ()
    checks: tuple[CheckFinished, ...] = ()
    permissions: Permissions | None = None
    classes: Classes = field(default_factory=Classes)
    not_repeated: tuple[str, ...] = ()
    """In a replay, the shards and the objects whose order was not that of the run that it repeats."""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()
    left: tuple[str, ...] = ()
    """What could not be removed from an account of AWS."""


Event = (
    RunStarted
    | PhaseStarted
    | EmulatorPreparing
    | EmulatorReady
    | StackDeployed
    | LoadProgress
    | DrainProgress
    | ActorActed
    | CheckFinished
    | RunFinished
)
