"""Conducts one run: start, deploy, load, drain, observe, reconcile. Yields events; the last one holds the verdict."""

from __future__ import annotations

import contextlib
import itertools
import shlex
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Status
from harness.accounting.verdict import Account, Ingress, Judgement, Verdict, judge
from harness.emulator.clients import DEFAULT_ACCOUNT, Clients
from harness.emulator.stack import stack as stacks
from harness.errors import UnknownVerdictError, UsageError
from harness.load.lookup import put_lookup
from harness.run import events
from harness.run.drain import Rest, drain
from harness.run.fault_run import FaultRun
from harness.run.parts import make_offers, make_probes
from harness.run.scenario.references import substitute

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from harness.emulator.emulator import Description, Emulator
    from harness.faults.plan import Plan as Faults
    from harness.load.files import FileSource
    from harness.load.source import Source
    from harness.run.scenario.scenario import Scenario

_TELL_EVERY_S = 0.2


@dataclass(frozen=True)
class Plan:
    """All that decides a run. `emulator_choice` says which emulator it is and why; `command` reproduces the run."""

    name: str
    scenario: Scenario
    seed: int
    source: Source
    emulator: Emulator
    emulator_choice: str
    command: str
    run_dir: Path
    account: str = DEFAULT_ACCOUNT
    faults: Faults = ()


@dataclass
class _State:
    """What is known so far: enough for a result whenever the run ends."""

    started: float = field(default_factory=time.monotonic)
    description: Description | None = None
    ledger: Ledger | None = None
    timing: events.Timing = field(default_factory=events.Timing)
    account: Account = field(default_factory=Account)
    stack: str | None = None
    fingerprint: str = ""
    faults: FaultRun | None = None


def run(plan: Plan) -> Iterator[events.Event]:
    """Runs the plan. Whatever happens to the emulator or the stack ends in a RunFinished with an unknown verdict, as does an interrupt,
    which is raised again after it; what the person did wrong (UsageError) is raised. The emulator is stopped in every case."""
    started_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield events.RunStarted(
        plan.name, plan.scenario.description, plan.seed, started_at, plan.command, plan.run_dir, plan.emulator_choice
    )
    state = _State()
    interrupted = False
    try:
        try:
            verdict = yield from _conduct(plan, state)
        except UsageError:
            raise
        except KeyboardInterrupt:
            interrupted = True
            verdict = _undecided(plan, state, UnknownVerdictError("interrupted"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the run has no verdict: unknown, with the reason
            verdict = _undecided(plan, state, error)
        finally:
            if state.ledger is not None:
                state.ledger.close()
    finally:
        if state.faults is not None:
            state.faults.abandon()
            if plan.faults:
                # The verdict does not hang on it: a full disk has been told by then.
                with contextlib.suppress(OSError):
                    state.faults.write(plan.run_dir / "faults.json")
        _delete_stack(plan, state)
        plan.emulator.stop()
    total_s = time.monotonic() - state.started
    yield events.RunFinished(
        scenario=plan.name,
        seed=plan.seed,
        started_at=started_at,
        command=plan.command,
        run_dir=plan.run_dir,
        emulator=state.description,
        verdict=verdict,
        account=state.account,
        timing=replace(state.timing, total_s=round(total_s, 3)),
        payload_sha256=state.fingerprint,
        faults=state.faults.results() if state.faults else (),
    )
    if interrupted:
        raise KeyboardInterrupt


def _conduct(plan: Plan, state: _State) -> Generator[events.Event, None, Verdict]:
    """The phases, one after the other."""
    scenario, emulator = plan.scenario, plan.emulator
    yield events.PhaseStarted("emulator", plan.emulator_choice)
    yield from map(events.EmulatorPreparing, emulator.prepare())
    began = time.monotonic()
    description = emulator.start()
    state.description = description
    state.timing = replace(state.timing, start_s=_since(began))
    yield events.EmulatorReady(description, state.timing.start_s)

    clients = Clients(description.endpoint, plan.account)
    values = {"endpoint": description.endpoint, "emulator.python_runtime": description.python_runtime}
    yield events.PhaseStarted("deploy", scenario.stack.template.parent.name)
    began = time.monotonic()
    parameters = {name: substitute(value, values, f"stack.parameters.{name}") for name, value in scenario.stack.parameters.items()}
    # Short enough for a template that makes the names of its buckets from it and the account: 63 characters.
    state.stack = f"pipeproof-{plan.name}"[:36].rstrip("-") + f"-{time.time_ns() // 1_000_000}"
    deployed = stacks.deploy(clients, scenario.stack.template, parameters, state.stack, emulator.check)
    state.timing = replace(state.timing, deploy_s=_since(began))
    values |= {f"outputs.{name}": value for name, value in deployed.outputs.items()}
    yield events.StackDeployed(deployed.outputs, state.timing.deploy_s)
    if scenario.lookup is not None:
        yield events.PhaseStarted("lookup", "what the pipeline looks up")
        table = substitute(scenario.lookup.table, values, "lookup.table")
        for _ in put_lookup(clients, table, cast("FileSource", plan.source).lookup()):
            emulator.check()
    faults = state.faults = FaultRun(plan.faults, plan.source, description.endpoint, plan.account)
    if emulator.stays:
        faults.clear()
    if plan.faults:
        faults.arm(stacks.physical_names(clients, state.stack))

    probes = make_probes(scenario, clients, values)
    yield events.PhaseStarted("load", scenario.send.to)
    loading = time.monotonic()
    yield from _load(plan, state, clients, values)
    state.timing = replace(state.timing, load_s=_since(loading))

    began = time.monotonic()
    if faults.armed:
        yield events.PhaseStarted("faults", "until the pipeline is at rest, or their time is over")
        yield from _drain(plan, description.endpoint, scenario.faults_timeout_s)
    faults.end()
    yield events.PhaseStarted("drain", "until the pipeline is at rest")
    rest = yield from _drain(plan, description.endpoint, scenario.drain_timeout_s)
    assert state.ledger is not None
    elapsed_s = time.monotonic() - loading
    state.timing = replace(state.timing, drain_s=_since(began), records_per_s=round(state.ledger.offered / elapsed_s, 1))

    yield events.PhaseStarted("observe", f"{len(probes)} places")
    sightings = itertools.chain.from_iterable(probe.observe() for probe in probes)
    write_observations(plan.run_dir / "observations.parquet", sightings)
    emulator.check()

    yield events.PhaseStarted("reconcile", f"{state.ledger.offered:,} records")
    state.account = reconcile(state.ledger.path, plan.run_dir / "observations.parquet", plan.run_dir, faults.met)
    return judge(state.account, scenario.allow, (*(() if rest.known else (rest.doubt,)), *faults.doubts()))


def _drain(plan: Plan, endpoint: str, timeout_s: float) -> Generator[events.Event, None, Rest]:
    rest = Rest(known=False)
    for step in drain(endpoint, plan.account, timeout_s, plan.emulator.check):
        if isinstance(step, Rest):
            rest = step
        else:
            yield step
    return rest


def _load(plan: Plan, state: _State, clients: Clients, values: dict[str, str]) -> Iterator[events.Event]:
    """Offers every record of the source, and notes the answers."""
    ledger = state.ledger = Ledger(plan.run_dir / "ledger.parquet")
    began = told = time.monotonic()
    try:
        with contextlib.closing(make_offers(plan.scenario, plan.source, clients, values, plan.run_dir)) as offers:
            for batch in offers:
                for record, answer in batch:
                    ledger.add(record, answer)
                if time.monotonic() - told > _TELL_EVERY_S:
                    told = time.monotonic()
                    yield _progress(plan, ledger, told - began)
                plan.emulator.check()
    finally:
        ledger.close()
    # Of the whole load: a part of it has another hash.
    state.fingerprint = ledger.fingerprint
    yield _progress(plan, ledger, time.monotonic() - began)


def _progress(plan: Plan, ledger: Ledger, elapsed_s: float) -> events.LoadProgress:
    counts = ledger.counts
    return events.LoadProgress(
        ledger.offered, counts[Status.ACKED], counts[Status.REJECTED], counts[Status.INDETERMINATE], plan.source.total, elapsed_s
    )


def _undecided(plan: Plan, state: _State, error: Exception) -> Verdict:
    """The verdict where the run could not be finished: unknown, with the emulator's death as the reason if that is it."""
    reason = str(error)
    if not isinstance(error, UnknownVerdictError):
        try:
            plan.emulator.check()
        except UnknownVerdictError as death:
            reason = str(death)
        else:
            reason = f"{type(error).__name__}: {error}"
    if state.ledger is not None:
        counts = state.ledger.counts
        ingress = Ingress(state.ledger.offered, counts[Status.ACKED], counts[Status.INDETERMINATE], counts[Status.REJECTED])
        state.account = Account(ingress)
    return Verdict(Judgement.UNKNOWN, (reason,))


def _delete_stack(plan: Plan, state: _State) -> None:
    """Only on an emulator that stays: one of our own ends with all its stacks."""
    if state.description is None or not plan.emulator.stays or state.stack is None:
        return
    # The verdict does not hang on it, and an endpoint that died has nothing to delete.
    with contextlib.suppress(ClientError, BotoCoreError, UnknownVerdictError):
        stacks.delete(Clients(state.description.endpoint, plan.account), state.stack)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def reproduce_command(
    scenario: str,
    seed: int,
    records: int | None,
    emulator: str,
    input_path: Path | None,
    account: str = DEFAULT_ACCOUNT,
    lookup_path: Path | None = None,
) -> str:
    """The command that runs the same bytes again."""
    parts = ["pipeproof", "run", scenario, "--seed", str(seed)]
    parts += ["--records", str(records)] if records is not None else []
    parts += ["--emulator", emulator] if emulator != "auto" else []
    parts += ["--account", account] if account != DEFAULT_ACCOUNT else []
    parts += ["--input", str(input_path)] if input_path is not None else []
    parts += ["--lookup", str(lookup_path)] if lookup_path is not None else []
    return shlex.join(parts)
