"""The engine with a fake emulator: the phases in their order, and a verdict whatever happens in any of them."""

from __future__ import annotations

import signal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness import interrupts
from harness.accounting.record import Answer, Observation, Outcome, Record, Status
from harness.accounting.verdict import Judgement
from harness.emulator.permissions import Denied
from harness.errors import UnknownVerdictError, UsageError
from harness.faults.plan import named
from harness.parts.ports import Actor, Check, Finding, Ingress, Probe, Source
from harness.run import engine, events, fault_run
from harness.run.recipe import Recipe, open_load
from harness.run.state import Run
from harness.scenario.scenario import Scenario, StackPart
from harness.stack.deploy import Stack
from tests.unit.run.fakes import BUSY, REST, FakeEmulator, Gauges

STORE = []


class Three(Source):
    total: int | None = 3

    def open(self, context):
        return self

    def units(self):
        for number in range(3):
            yield Record(f"id-{number}", b"x", b"{}")


class Put(Ingress):
    """Stores what it is given, unless `fails` says what goes wrong."""

    fails: str = ""
    batch_size: int = 2

    def open(self, context):
        return self

    def send(self, units):
        for record in units:
            if self.fails == "raises":
                raise RuntimeError("a defect")
            if self.fails == "interrupt":
                raise KeyboardInterrupt
            if self.fails in {"interrupt converted", "interrupt lost"}:
                interrupts._came = True
            if self.fails == "interrupt converted":
                raise RuntimeError("Query interrupted")
            if self.fails != "loses":
                STORE.append(record.record_id)
            yield record, Answer(Status.ACKED, 1)

    def close(self):
        pass


class Look(Probe):
    where: str = "here"

    def open(self, context):
        assert (context.run_dir / "ledger.parquet").is_file()
        for record_id in STORE:
            yield Observation(Outcome.STORED, self.where, record_id, content=b"{}")


class Act(Actor):
    does: str = "something"

    def open(self, context):
        if self.does == "raises":
            raise UnknownVerdictError("the actor could not act")
        if self.does != "nothing":
            yield self.does


class Holds(Check):
    holds: bool = True
    possible: bool = True

    def open(self, context):
        if not self.possible:
            raise UnknownVerdictError("no data")
        return Finding(self.holds, "expected this, found that")


@pytest.fixture
def conducted(tmp_path, monkeypatch):
    STORE.clear()
    monkeypatch.setattr(engine.stacks, "deploy", lambda *_: Stack("stack", {"Place": "there"}, {"Shelf.Arn": "up there"}))
    monkeypatch.setattr(engine.stacks, "physical_names", lambda *_: {"StoreFunction": "stack-store-1"})
    monkeypatch.setattr(engine, "needs_node", lambda *_: False)
    gauges = Gauges(REST)
    emulator = FakeEmulator(gauges.endpoint)

    def conduct(send=None, *, actors=(), checks=(), probes=(), answers=(REST,), told=None, shown=False, **keys):
        told = [] if told is None else told
        gauges.answers = list(answers)
        scenario = Scenario(
            description="d", stack=StackPart(template=Path("t/template.yaml")), source=Three(), send=send or Put(), actors=actors,
            checks=checks, probes=probes or (Look(where="${outputs.Place}"),), **keys,
        )  # fmt: skip
        recipe = Recipe("fake", scenario, 1, faults=named(scenario.faults, 1))
        told.extend(engine.conduct(Run(recipe, open_load(recipe), emulator, "fake", "command", tmp_path, shown=shown)))
        return told

    conduct.emulator, conduct.gauges = emulator, gauges
    yield conduct
    gauges.close()


def phases(told):
    return [event.phase for event in told if isinstance(event, events.PhaseStarted)]


def test_a_run_goes_through_its_phases_in_order_and_passes(conducted):
    told = conducted(actors=(Act(),), checks=(Holds(name="it"),))
    assert phases(told) == ["emulator", "deploy", "load", "drain", "act", "observe", "reconcile", "check"]
    assert [type(event) for event in (told[0], told[-1])] == [events.RunStarted, events.RunFinished]
    finished = told[-1]
    assert (finished.verdict.judgement, finished.account.outcome.stored) == (Judgement.PASS, 3)
    assert events.ActorActed("Act", "something") in told or any(isinstance(e, events.ActorActed) for e in told)
    assert finished.checks == (events.CheckFinished("it", holds=True, text="expected this, found that"),)
    assert conducted.emulator.stopped == 1


def test_what_another_run_has_shown_is_no_doubt_of_a_pass_alone(conducted):
    def judgement(send=None, **keys):
        STORE.clear()
        return conducted(send, **keys)[-1].verdict.judgement

    idle = (Act(does="nothing"),)
    assert judgement(actors=idle) is Judgement.UNKNOWN
    assert judgement(actors=idle, shown=True) is Judgement.PASS
    # What fails must fail without that, too.
    assert judgement(Put(fails="loses"), actors=idle, shown=True) is Judgement.UNKNOWN
    assert judgement(Put(fails="loses"), shown=True) is Judgement.FAIL


def test_what_was_not_stored_is_lost_and_the_run_fails(conducted):
    finished = conducted(Put(fails="loses"))[-1]
    assert (finished.verdict.judgement, finished.account.anomalies["lost"]) == (Judgement.FAIL, 3)


def test_a_check_that_does_not_hold_fails_the_run_and_one_that_cannot_be_made_makes_it_unknown(conducted):
    unmade, broken = "check it could not be made: no data", "check other: expected this, found that"
    finished = conducted(checks=(Holds(name="other", holds=False),))[-1]
    assert (finished.verdict.judgement, finished.verdict.reasons) == (Judgement.FAIL, (broken,))
    STORE.clear()
    finished = conducted(checks=(Holds(name="it", possible=False),))[-1]
    assert (finished.verdict.judgement, finished.verdict.reasons) == (Judgement.UNKNOWN, (unmade,))
    STORE.clear()
    finished = conducted(checks=(Holds(name="it", possible=False), Holds(name="other", holds=False)))[-1]
    assert (finished.verdict.judgement, finished.verdict.reasons) == (Judgement.FAIL, (broken, unmade))


@pytest.mark.parametrize(("does", "said"), [("nothing", "had nothing to act on"), ("raises", "the actor could not act")])
def test_an_actor_that_could_not_act_makes_the_verdict_unknown(conducted, does, said):
    finished = conducted(actors=(Act(does=does),))[-1]
    assert finished.verdict.judgement is Judgement.UNKNOWN
    assert said in finished.verdict.reasons[0]


def test_an_actor_acts_meanwhile_before_rest(conducted):
    told = conducted(actors=(Act(when="meanwhile"),), answers=(BUSY, REST))
    assert "act" not in phases(told)
    acted = next(place for place, event in enumerate(told) if isinstance(event, events.ActorActed))
    assert acted < phases_at(told, "observe")


def phases_at(told, phase):
    return next(place for place, event in enumerate(told) if isinstance(event, events.PhaseStarted) and event.phase == phase)


def test_without_rest_nothing_is_claimed_and_no_actor_waits_for_it(conducted):
    told = conducted(actors=(Act(),), answers=(BUSY,), drain_timeout_s=0.1)
    assert "act" not in phases(told)
    assert told[-1].verdict.judgement is Judgement.UNKNOWN
    assert "2 executions" in told[-1].verdict.reasons[0]


@pytest.mark.parametrize(
    ("calls", "firings", "answers", "times"),
    [
        ("1", [], (BUSY,), 2),
        ("1", [{"event": 1}], (BUSY,), 1),
        ("1", [], (REST,), 1),
        # Of a rehearsal, which only counts.
        ("1000000000", [], (BUSY,), 1),
    ],
)
def test_a_fault_that_has_met_nothing_when_the_time_is_over_has_as_much_time_again(
    conducted, monkeypatch, calls, firings, answers, times
):
    class Gateway:
        def __init__(self, *_):
            pass

        def arm(self, plan):
            self.names = [fault.id for fault in plan]

        def log(self):
            return [{"id": name, "seen": len(firings), "firings": firings} for name in self.names]

        disarm = log

    monkeypatch.setattr(fault_run, "FaultClient", Gateway)
    ended = []
    monkeypatch.setattr(engine.FaultRun, "write", lambda self, _: ended.append(self.ended_ms))
    monkeypatch.setattr(engine.FaultRun, "abandon", lambda self: ended.append(self.ended_ms) or self.end())
    faults = [{"kind": "throttle", "service": "kinesis", "operation": "PutRecords", "calls": calls}]
    told = conducted(faults=faults, answers=answers, faults_timeout_s=0.1, drain_timeout_s=0.1)
    assert phases(told).count("faults") == times
    assert ended[0] is not None
    assert set(ended) == {ended[0]}


def test_faults_of_records_alone_end_nothing(conducted, monkeypatch):
    """What comes after the load must not seem to come after the faults."""
    ended = []
    monkeypatch.setattr(engine.FaultRun, "write", lambda self, _: ended.append(self.ended_ms))
    conducted(faults=[{"kind": "record", "malform": "cut", "records": "1"}])
    assert ended == [None]


def test_a_defect_or_a_dead_emulator_is_an_unknown_verdict_with_the_reason(conducted):
    finished = conducted(Put(fails="raises"))[-1]
    assert (finished.verdict.judgement, finished.verdict.reasons) == (Judgement.UNKNOWN, ("RuntimeError: a defect",))
    conducted.emulator.died = "killed by somebody"
    finished = conducted(Put(fails="raises"))[-1]
    assert finished.verdict.reasons == ("killed by somebody",)
    assert conducted.emulator.stopped == 2


def test_an_interrupt_is_told_as_unknown_and_raised_again_after_the_result(conducted, tmp_path):
    told = []
    with pytest.raises(KeyboardInterrupt):
        conducted(Put(fails="interrupt"), told=told)
    assert told[-1].verdict.reasons == ("interrupted",)
    assert conducted.emulator.stopped == 1


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("held", [True, False], ids=["while it is held", "before it is"])
def test_an_interrupt_while_a_run_ends_leaves_nothing(conducted, monkeypatch, held):
    """A container had gone, and its networks stayed."""
    ended, calls = [], []

    def stop():
        calls.append("stop")
        if len(calls) == 1 and not held:
            signal.raise_signal(signal.SIGTERM)
        with interrupts.held():
            if len(calls) == 1:
                signal.raise_signal(signal.SIGTERM)
            if not ended:
                ended.append("all of it")

    monkeypatch.setattr(conducted.emulator, "stop", stop)
    told = []
    with pytest.raises(KeyboardInterrupt):
        conducted(told=told)
    assert ended == ["all of it"]
    assert (told[-1].verdict.judgement, told[-1].verdict.reasons) == (Judgement.UNKNOWN, ("interrupted",))


@pytest.mark.parametrize("fails", ["interrupt converted", "interrupt lost"])
def test_an_interrupt_that_does_not_arrive_as_one_ends_the_run_too(conducted, monkeypatch, fails):
    """DuckDB raises a RuntimeError where a signal comes while it works, and Python drops what is raised in the callback of a weak reference."""
    monkeypatch.setattr(interrupts, "_came", False)
    with pytest.raises(KeyboardInterrupt):
        conducted(Put(fails=fails))
    assert conducted.emulator.stopped == 1


def test_the_stack_is_asked_for_the_resources_that_the_scenario_names(conducted, monkeypatch):
    asked, deploy = [], engine.stacks.deploy
    monkeypatch.setattr(engine.stacks, "deploy", lambda *given: asked.append(given[-1].resources) or deploy(*given))
    told = conducted(probes=(Look(where="${resources.Shelf.Arn}"), Look(where="${outputs.Place}")))
    assert asked == [["Shelf.Arn"]]
    sightings = pq.read_table(told[-1].run_dir / "observations.parquet")["place"].to_pylist()
    assert set(sightings) == {"up there", "there"}


def test_an_unknown_output_is_a_usage_error_and_the_emulator_is_stopped(conducted):
    with pytest.raises(UsageError, match=r"probes.0.where: \$\{outputs.Plaze\} is not known; there is outputs.Place"):
        conducted(probes=(Look(where="${outputs.Plaze}"),))
    assert conducted.emulator.stopped == 1


def test_the_rate_spreads_the_batches_and_every_record_has_its_answer(conducted):
    finished = conducted(Put(rate={"shape": "constant", "records_per_s": 1000}))[-1]
    assert finished.account.ingress.acked == 3


def test_what_was_denied_is_told_at_the_end_of_any_run(conducted):
    denied = {"who": "stack-store-1", "action": "s3:PutObject", "resource": "arn:b", "why": "no policy", "calls": 2}
    conducted.gauges.denied = [denied]
    finished = conducted(Put(fails="raises"))[-1]
    assert finished.verdict.judgement is Judgement.UNKNOWN
    assert finished.permissions == events.Permissions("report", (Denied(**{**denied, "who": "StoreFunction"}),))
    assert conducted(iam="off")[-1].permissions is None
