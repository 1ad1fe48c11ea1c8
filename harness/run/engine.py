"""Conducts one run: start, deploy, load, drain, act, observe, reconcile, check. Yields events; the last one holds the verdict."""

from __future__ import annotations

import contextlib
import itertools
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from harness import interrupts
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.verdict import Judgement, Verdict, judge
from harness.aws.account import Aws
from harness.emulator import accounts
from harness.errors import UnknownVerdictError, UsageError
from harness.parts.ports import Context
from harness.run import events
from harness.run.acting import Acting
from harness.run.beside import Beside
from harness.run.clock import Clock
from harness.run.deployment import new_stack, scheduled, values_of, with_references
from harness.run.drain import Rest, drain
from harness.run.fault_run import FaultRun
from harness.run.load import load
from harness.run.lookup import put_lookup
from harness.run.on_aws import require_own, schedules
from harness.run.recipe import lookup_of
from harness.run.rehearsal import rehearse
from harness.run.replay import keep_names, keep_plan
from harness.run.run_dir import LOOKUP, OBSERVATIONS, SETUP, note_refusal, put_besides
from harness.run.settling import settle
from harness.run.setup import after_deployment
from harness.run.standing import Standing, require_empty
from harness.run.state import State, end, since, timed, undecided
from harness.run.trace import faults_by_request, logical, with_ways
from harness.stack import deploy as stacks
from harness.stack.runtimes import needs_node

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.emulator.emulator import Description
    from harness.faults.plan import Plan
    from harness.run.state import Run
    from harness.scenario.scenario import Scenario

_HOUR_S = 3600


def conduct(run: Run) -> Generator[events.Event]:
    """Runs the recipe, and yields what happens.

    A failure of the emulator or the stack ends in a RunFinished with an unknown verdict. So does an interrupt, which is raised again
    after it, with what is left. A UsageError is raised. The emulator begins to stop in every case; whoever made it waits for that."""
    recipe = run.recipe
    started_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield events.RunStarted(
        recipe.name, run.scenario.description, recipe.seed, started_at, run.command, run.run_dir, run.emulator_choice
    )
    state = State()
    try:
        try:
            verdict = yield from _judged(run, state)
        finally:
            end(run, state)
    except UsageError as error:
        if not state.left:
            raise
        told = UsageError(f"{error}\nleft on AWS:" + "".join(f"\n  {one}" for one in state.left))
        note_refusal(run.run_dir, told)
        raise told from error
    except KeyboardInterrupt:
        # It may have come before the end had begun, or in the middle of it. To stop an emulator twice does no harm.
        run.emulator.stop()
        state.interrupted = True
        verdict = undecided(run, state, UnknownVerdictError("interrupted"))
    total_s = time.monotonic() - state.started
    yield events.RunFinished(
        scenario=recipe.name,
        seed=recipe.seed,
        started_at=started_at,
        command=run.command,
        run_dir=run.run_dir,
        emulator=state.description,
        runtimes=state.runtimes,
        ignored=state.ignored,
        verdict=verdict,
        account=state.account,
        timing=replace(state.timing, total_s=round(total_s, 3)),
        payload_sha256=state.fingerprint,
        faults=state.faults.results() if state.faults else (),
        checks=tuple(state.checks),
        permissions=state.permissions,
        classes=state.coverage.result() if state.coverage else events.Classes(),
        not_repeated=state.not_repeated,
        causes=state.causes,
        left=state.left,
    )
    if state.interrupted:
        raise KeyboardInterrupt(*state.left)


def _judged(run: Run, state: State) -> Generator[events.Event, None, Verdict]:
    """Goes through the phases. Returns the verdict, which is unknown where something went wrong. Raises UsageError alone."""
    try:
        return (yield from _interruptible(_phases(run, state)))
    except UsageError as error:
        if state.description is not None:
            note_refusal(run.run_dir, error)
        raise
    except KeyboardInterrupt:
        state.interrupted = True
        return undecided(run, state, UnknownVerdictError("interrupted"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the run has no verdict: unknown, with the reason
        state.interrupted = interrupts.came()
        return undecided(run, state, UnknownVerdictError("interrupted") if state.interrupted else error)


def _interruptible(phases: Generator[events.Event, None, Verdict]) -> Generator[events.Event, None, Verdict]:
    """Goes through the phases. Raises KeyboardInterrupt where a signal came, even if the one that it raised was lost."""
    with contextlib.closing(phases):
        while True:
            try:
                event = next(phases)
            except StopIteration as end:
                if interrupts.came():
                    raise KeyboardInterrupt from None
                verdict: Verdict = end.value
                return verdict
            if interrupts.came():
                raise KeyboardInterrupt
            yield event


def _phases(run: Run, state: State) -> Generator[events.Event, None, Verdict]:
    """Goes through the phases, one after the other, and returns the verdict."""
    context, scenario, clock = yield from _deployed(run, state)
    faults = state.faults
    assert faults is not None
    acting = Acting(scenario.actors, context)
    for probe in scenario.probes:
        state.endings.append(partial(probe.end, context))
        probe.begin(context)
    way_in = scenario.send.to or scenario.send.use.rpartition(":")[2]
    yield events.PhaseStarted("load", f"{way_in}, {run.workers} workers" if run.workers > 1 else way_in)
    loading = time.monotonic()
    with timed(state, "load_s"):
        yield from load(run, scenario, state, context)

    began = time.monotonic()
    have_acted = faults.armed and (yield from _under_faults(run, context, acting, clock, faults))
    faults.end()
    yield events.PhaseStarted("drain", "until the pipeline is at rest")
    rest = yield from _drain(run, context, acting, scenario.drain_timeout_s)
    assert state.ledger is not None
    elapsed_s = time.monotonic() - loading
    state.timing = replace(state.timing, drain_s=since(began), records_per_s=round(state.ledger.offered / elapsed_s, 1))
    if acting.needs_rest and rest.known and not have_acted:
        rest = yield from _act(run, context, acting, scenario.drain_timeout_s)
    if rest.known:
        rest = yield from clock.run_down(partial(_drain, run, context, acting, scenario.drain_timeout_s))

    assert state.beside is not None
    state.beside.end_journal()
    yield events.PhaseStarted("observe", f"{len(scenario.probes)} place{'s' if len(scenario.probes) != 1 else ''}")
    state.doubts += faults.count()
    sightings = itertools.chain.from_iterable(probe.open(context) for probe in scenario.probes)
    write_observations(run.run_dir / OBSERVATIONS, sightings)
    fleeting = tuple(doubt for probe in scenario.probes for doubt in probe.doubts(context))
    run.emulator.check()
    yield events.PhaseStarted("reconcile", f"{state.ledger.offered:,} records")
    account = reconcile(
        state.ledger.path, run.run_dir / OBSERVATIONS, run.run_dir, faults.met, put_besides(run.run_dir), run.engine
    )
    state.account = with_ways(account, run.run_dir, faults_by_request(faults.log), state.beside.names)
    broken, unchecked = yield from _check(scenario, state, context)
    unmet = scenario.send.doubts(context)
    doubts = (
        *(() if rest.known else (rest.doubt,)),
        *state.doubts,
        *unmet,
        *scenario.source.doubts(state.account),
        *faults.doubts(),
        *fleeting,
    )
    if run.shown:
        # What another run has shown is no doubt of a pass. What fails must fail by itself.
        verdict = judge(state.account, scenario.allowed, doubts, broken, unchecked, shown=True)
        if verdict.judgement is Judgement.PASS:
            return verdict
    doubts = (*doubts, *acting.doubts())
    return judge(state.account, scenario.allowed, doubts, broken, unchecked)


def _under_faults(
    run: Run, context: Context, acting: Acting, clock: Clock, faults: FaultRun
) -> Generator[events.Event, None, bool]:
    """Lets the pipeline come to rest while its faults are armed. Returns whether the actors that wait for rest have acted."""
    timeout_s = run.scenario.faults_timeout_s
    yield events.PhaseStarted("faults", "until the pipeline is at rest, or the time of the faults is over")
    rest = yield from _drain(run, context, acting, timeout_s, patient=run.patient)
    if rest.is_late and faults.has_unmet():
        yield events.PhaseStarted("faults", "as long again: not all of them have met something")
        rest = yield from _drain(run, context, acting, timeout_s, patient=run.patient)
    # What works by a schedule, or once an actor has acted, meets its faults only then.
    if rest.known and run.scenario.schedules.fire:
        rest = yield from clock.run_down(partial(_drain, run, context, acting, timeout_s))
    if not (rest.known and acting.needs_rest):
        return False
    yield from _act(run, context, acting, timeout_s)
    return True


def _act(run: Run, context: Context, acting: Acting, timeout_s: float) -> Generator[events.Event, None, Rest]:
    yield events.PhaseStarted("act", "once the pipeline is at rest")
    yield from acting.at_rest(context.check, run.scenario.drain_timeout_s)
    return (yield from _drain(run, context, acting, timeout_s))


def _deployed(run: Run, state: State) -> Generator[events.Event, None, tuple[Context, Scenario, Clock]]:
    """Starts the emulator, deploys the stack and arms the faults. Returns the context, the scenario with its references resolved, and the
    clock of what the stack has scheduled."""
    scenario, emulator = run.scenario, run.emulator
    yield events.PhaseStarted("emulator", run.emulator_choice)
    yield from map(events.EmulatorPreparing, emulator.prepare(node=needs_node(scenario.stack.template, scenario.stack.parameters)))
    with timed(state, "start_s"):
        description = emulator.start()
    state.description = description
    state.unused = emulator.stays and not description.aws and accounts.is_unused(description.endpoint, run.account)
    yield events.EmulatorReady(description, state.timing.start_s)

    clients = description.clients(run.account)
    served = emulator.served if isinstance(emulator, Aws) else None
    values = values_of(description, run.account, served.url if served else "")
    plan = run.recipe.faults
    if any(run.recipe.chaos):
        yield events.PhaseStarted("rehearse", "the load without its chaos, to know which faults it can meet")
        plan = yield from rehearse(run, description, conduct)
        keep_plan(plan, run.run_dir)

    beside = state.beside = Beside(description, run.account, run.run_dir, scenario.iam)
    state.doubts = beside.begin()
    standing = run.standing or Standing(run.account)
    if (deployed := standing.stack) is None:
        standing.scheduled = scheduled(description, run.account) if emulator.stays else frozenset()
        standing.unused = state.unused
        yield events.PhaseStarted("deploy", scenario.stack.template.parent.name)
        deployed = new_stack(run, state, standing, clients, description, values)
    state.stack = deployed.name
    state.runtimes = deployed.runtimes
    state.ignored = deployed.ignored
    state.doubts += tuple(f"without {one} (--ignore-unsupported)" for one in deployed.ignored)
    values |= {f"outputs.{name}": value for name, value in deployed.outputs.items()}
    values |= {f"resources.{name}": value for name, value in deployed.resources.items()}
    yield events.StackDeployed(deployed.outputs, state.timing.deploy_s, deployed.runtimes, deployed.ignored)
    scenario = with_references(scenario, values)
    context = Context(
        clients,
        deployed.outputs,
        run.run_dir,
        emulator.check,
        run.allow_remote,
        state.started_at_s,
        scenario.kept_for_hours * _HOUR_S,
        scenario.stack.template,
        state.stack,
        description.abilities,
        served,
    )
    if description.aws:
        require_own(scenario, context)
    if standing.offered:
        require_empty(scenario.probes, context)
    if scenario.setup.items or scenario.setup.objects:
        yield events.PhaseStarted("setup", "items and objects that the stack finds in place")
        after_deployment(clients, scenario.setup, run.run_dir / SETUP)
    if scenario.lookup is not None:
        yield events.PhaseStarted("lookup", "what the pipeline looks up")
        for _ in put_lookup(clients, scenario.lookup.table, lookup_of(run.load).lookup(), run.run_dir / LOOKUP):
            emulator.check()
    _disturb(run, state, plan, context, description)
    return context, scenario, Clock(schedules(context), scenario.schedules, standing.scheduled)


def _disturb(run: Run, state: State, plan: Plan, context: Context, place: Description) -> None:
    """Arms the faults, and lets a replay repeat its order. Both name what the deployment has made."""
    faults = state.faults = FaultRun(plan, run.load, context.clients)
    if run.emulator.stays and not place.aws:
        faults.clear()
    assert state.stack is not None
    assert state.beside is not None
    physical = stacks.physical_names(context.clients, state.stack)
    keep_names(physical, run.run_dir)
    state.beside.names = logical(physical)
    if plan:
        faults.arm(physical)
    state.beside.repeat(run.recipe.batches, run.recipe.writes, physical)


def _drain(
    run: Run, context: Context, acting: Acting, timeout_s: float, *, patient: bool = True
) -> Generator[events.Event, None, Rest]:
    rest = Rest(known=False)
    if context.clients.aws:
        steps = settle(context, run.settle_s, timeout_s, acting.turn)
    else:
        steps = drain(context.endpoint, run.account, timeout_s, run.emulator.check, acting.turn, patient=patient)
    for step in steps:
        if isinstance(step, Rest):
            rest = step
        else:
            yield step
    return rest


def _check(
    scenario: Scenario, state: State, context: Context
) -> Generator[events.Event, None, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Makes the checks. Returns the reasons of those that do not hold, and of those that could not be made."""
    if scenario.checks:
        yield events.PhaseStarted("check", f"{len(scenario.checks)} checks")
    broken, unknown = [], []
    for place, check in enumerate(scenario.checks):
        name = check.name or f"{check.kind or check.use.rpartition(':')[2]} {place + 1}"
        try:
            finding = check.open(context)
        except (UnknownVerdictError, ClientError, BotoCoreError) as error:
            unknown.append(f"check {name} could not be made: {error}")
            continue
        finished = events.CheckFinished(name, finding.holds, finding.text)
        state.checks.append(finished)
        yield finished
        if not finding.holds:
            broken.append(f"check {name}: {finding.text}")
    return tuple(broken), tuple(unknown)
