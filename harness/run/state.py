"""A run: what it is of, what is known of it so far, and its end."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from harness import interrupts
from harness.accounting.record import Status
from harness.accounting.verdict import Account, Ingress, Judgement, Verdict
from harness.aws.teardown import remove
from harness.emulator import accounts
from harness.emulator.clients import DEFAULT_ACCOUNT
from harness.errors import UnknownVerdictError
from harness.run import events
from harness.run.causes import causes
from harness.run.run_dir import FAULTS
from harness.run.trace import faults_by_request
from harness.stack import deploy as stacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from harness.accounting.ledger import Ledger
    from harness.accounting.ledger_parts import JoinedLedger
    from harness.emulator.clients import Clients
    from harness.emulator.emulator import Description, Emulator
    from harness.parts.ports import Load
    from harness.run.beside import Beside
    from harness.run.coverage import Coverage
    from harness.run.fault_run import FaultRun
    from harness.run.recipe import Recipe
    from harness.run.standing import Standing
    from harness.scenario.scenario import Scenario


@dataclass(frozen=True)
class Run:
    """A recipe, opened, and where it is run. `emulator_choice` says which emulator it is and why; `command` reproduces the run."""

    recipe: Recipe
    load: Load
    emulator: Emulator
    emulator_choice: str
    command: str
    run_dir: Path
    account: str = DEFAULT_ACCOUNT
    allow_remote: bool = False
    strict_runtime: bool = False
    ignore_unsupported: bool = False
    patient: bool = True
    """Whether the faults last as long as the scenario says where streams only try again what they never give up."""
    shown: bool = False
    """Whether another run has shown that the way works and that the actors act. In this one an outage may leave nothing to store or to act on, or refuse what an actor does."""
    standing: Standing | None = None
    """The stack that this run is to use, and not to delete; it deploys one that is not there yet."""
    engine: str = "duckdb"
    """What reconciles: one of `engines.ENGINES`."""
    workers: int = 1
    """How many processes offer the load."""
    settle_s: float | None = None
    """On AWS: for how long nothing must change until the pipeline is at rest; None for what its stack may need."""

    @property
    def scenario(self) -> Scenario:
        """Returns the recipe's scenario."""
        return self.recipe.scenario


@dataclass
class State:
    """What is known so far: enough for a result, whenever the run ends."""

    started: float = field(default_factory=time.monotonic)
    started_at_s: float = field(default_factory=time.time)
    description: Description | None = None
    ledger: Ledger | JoinedLedger | None = None
    coverage: Coverage | None = None
    timing: events.Timing = field(default_factory=events.Timing)
    account: Account = field(default_factory=Account)
    stack: str | None = None
    unused: bool = False
    fingerprint: str = ""
    faults: FaultRun | None = None
    checks: list[events.CheckFinished] = field(default_factory=list)
    endings: list[Callable[[], None]] = field(default_factory=list)
    beside: Beside | None = None
    doubts: tuple[str, ...] = ()
    permissions: events.Permissions | None = None
    not_repeated: tuple[str, ...] = ()
    runtimes: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    causes: tuple[events.Cause, ...] = ()
    interrupted: bool = False
    left: tuple[str, ...] = ()
    """What could not be removed from an account of AWS."""


def undecided(run: Run, state: State, error: Exception) -> Verdict:
    """Returns the verdict of a run that could not be finished: unknown, with the emulator's death as the reason if that is it."""
    reason = str(error)
    if not isinstance(error, UnknownVerdictError):
        try:
            run.emulator.check()
        except UnknownVerdictError as death:
            reason = str(death)
        else:
            reason = f"{type(error).__name__}: {error}"
    if state.ledger is not None:
        counts = state.ledger.counts
        ingress = Ingress(state.ledger.offered, counts[Status.ACKED], counts[Status.INDETERMINATE], counts[Status.REJECTED])
        state.account = Account(ingress)
    return Verdict(Judgement.UNKNOWN, (reason,))


def end(run: Run, state: State) -> None:
    """Writes what is left to be written, removes what the run has made, and begins to stop its emulator."""
    try:
        if state.ledger is not None:
            state.ledger.close()
        if state.beside is not None:
            state.permissions, state.not_repeated = state.beside.end()
    finally:
        if state.faults is not None:
            state.faults.abandon()
            if state.faults.plan:
                # The verdict does not depend on this file; a full disk has been reported by then.
                with contextlib.suppress(OSError):
                    state.faults.write(run.run_dir / FAULTS)
        try:
            _delete_stack(run, state)
            if state.beside is not None and not state.interrupted:
                state.causes = _causes(run, state, state.beside.names)
        finally:
            # The next run on a stack that stands uses the same clients.
            if state.description is not None and run.standing is None:
                state.description.clients(run.account).close()
            run.emulator.release()


def _causes(run: Run, state: State, names: Mapping[str, str]) -> tuple[events.Cause, ...]:
    """Returns why things failed; nothing where the journal cannot be read, as the verdict does not depend on it."""
    # DuckDB would raise a RuntimeError in place of an interrupt.
    with interrupts.held(), contextlib.suppress(OSError, ValueError, duckdb.Error):
        return causes(run.run_dir, faults_by_request(state.faults.log) if state.faults else {}, names)
    return ()


def _delete_stack(run: Run, state: State) -> None:
    """Deletes the stack on an emulator that stays, and all else of an account that was not used before: any other emulator ends with all its stacks."""
    if state.description is None or not run.emulator.stays or state.stack is None:
        return
    clients = state.description.clients(run.account)
    if clients.aws:
        _remove_from_aws(clients, state, state.stack)
        return
    # The verdict does not depend on it, and an endpoint that died has nothing to delete.
    with contextlib.suppress(ClientError, BotoCoreError, UnknownVerdictError):
        for ending in state.endings:
            with contextlib.suppress(ClientError):
                ending()
        if run.standing is not None:
            return
        stacks.delete(clients, state.stack)
        # Somebody may have begun to use the account since.
        if state.unused and stacks.is_empty(clients):
            accounts.forget(state.description.endpoint, run.account)


def _remove_from_aws(clients: Clients, state: State, stack: str) -> None:
    for ending in state.endings:
        # A part of the user's own may raise anything: the stack must go all the same.
        with contextlib.suppress(Exception):
            ending()
    state.left = tuple(remove(clients, stack))


@contextlib.contextmanager
def timed(state: State, name: str) -> Iterator[None]:
    """Notes how long a phase took, whether it succeeded or not."""
    began = time.monotonic()
    try:
        yield
    finally:
        state.timing = replace(state.timing, **{name: since(began)})


def since(began: float) -> float:
    return round(time.monotonic() - began, 3)
