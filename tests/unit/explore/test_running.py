"""What a scenario is judged by where faults are tried."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from harness.accounting.verdict import Judgement, Verdict
from harness.explore import running
from harness.explore.judging import under_faults
from harness.explore.running import Running, searched, write_found
from harness.explore.search import Finding, Tried
from harness.faults.plan import load
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario


@pytest.mark.parametrize("name", ["records", "customers", "clickstream-smoke"])
def test_what_is_tried_again_is_counted_again_and_other_checks_stay(name):
    scenario = load_scenario(scenario_files()[name])
    judged = under_faults(scenario, outage=False)
    assert [check.kind for check in judged.checks] == [check.kind for check in scenario.checks if check.kind != "metric"]
    assert judged.allowed["misrouted"] == float("inf")
    assert "metric" not in str(judged.document().get("checks"))


@pytest.mark.parametrize("judgement", [Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN])
def test_what_is_broken_off_on_a_used_stack_has_no_verdict_and_is_not_run_again(judgement):
    """Whatever it had come to by then: only a new stack would have decided."""
    run = Running.__new__(Running)
    view = SimpleNamespace(is_closed=True)
    run._may_stand = True
    run._some_emulator = lambda: contextlib.nullcontext((None, view, 1))
    run._on_standing = lambda *_: (Tried(judgement), False)
    assert run.quick(()).judgement is Judgement.UNKNOWN
    run._on_standing = lambda *_: (Tried(judgement), True)
    assert run.quick(()).judgement is judgement


REFUSED = {"kind": "throttle", "service": "s3", "operation": "PutObject", "caller": "ReceiveFunction", "calls": "1"}


def test_faults_of_records_are_part_of_the_load_and_stay(tmp_path):
    scenario = load_scenario(scenario_files()["lake"])
    both = scenario.model_copy(update={"faults": (*scenario.faults, *load([REFUSED]))})
    assert [fault.id for fault in searched(both).faults] == ["copies"]
    finding = Finding((REFUSED,), Tried(Judgement.FAIL), 10, 10)
    write_found(both, finding, tmp_path / "found.yaml", seed=None, records=None)
    assert [fault.kind for fault in load_scenario(tmp_path / "found.yaml").faults] == ["record", "throttle"]


def test_a_run_has_the_faults_of_records_and_those_of_its_schedule(tmp_path):
    scenario = load_scenario(scenario_files()["lake"])
    run = Running("lake", scenario, [], tmp_path, None, seed=None, records=500)
    assert [fault.kind for fault in run._recipe(()).faults] == ["record"]
    recipe = run._recipe((REFUSED,))
    assert [fault.kind for fault in recipe.faults] == ["record", "throttle"]
    assert len(recipe.scenario.faults) == 1


def test_a_fault_that_meets_none_of_the_few_records_of_a_search_is_left_out(tmp_path):
    """Else nothing would be known: a planned fault that meets nothing is a doubt."""
    scenario = load_scenario(scenario_files()["lake"])
    beyond = load(
        [{"kind": "record", "malform": "copy", "records": "50-60"}, {"kind": "record", "malform": "copy", "records": "49"}]
    )
    run = Running("lake", scenario.model_copy(update={"faults": beyond}), [], tmp_path, None, seed=None, records=50)
    assert [fault.records for fault in run._recipe(()).faults] == ["49"]


class Emulator:
    def start(self):
        return SimpleNamespace(endpoint="")


class Standing:
    account, stack = "1", "stands"

    def empty(self, *_):
        pass

    def end(self, _):
        pass


def test_on_a_stack_that_stands_a_schedule_has_records_of_its_own_and_the_same_each_time(tmp_path):
    scenario = load_scenario(scenario_files()["lake"])
    emulator = Emulator()
    run = Running("lake", scenario, [emulator], tmp_path, None, seed=7, records=10)
    seeds = []
    run._run = lambda recipe, *_: seeds.append(recipe.seed) or Tried(Judgement.FAIL, run_dir=str(tmp_path / "run"))
    run._may_serve_others = lambda *_: False
    for faults in ((REFUSED,), (REFUSED,), ({**REFUSED, "calls": "2"},)):
        run._idle[emulator].append(Standing())
        run._on_standing(faults, emulator, None, "1")
    assert seeds[0] == seeds[1] != seeds[2]
    assert 7 not in seeds


@pytest.mark.parametrize(
    ("faults", "allow", "shown", "judgement"),
    [
        ((), {}, False, Judgement.PASS),
        ((REFUSED,), {}, True, Judgement.FAIL),
        ((REFUSED,), {"conflicting": "all"}, True, Judgement.PASS),
    ],
)
def test_what_no_fault_explains_is_a_finding_unless_the_scenario_allows_it(monkeypatch, tmp_path, faults, allow, shown, judgement):
    """The run without faults must show the way itself: it alone stands for those under faults."""
    conducted = []

    def recorded(_run_dir, run):
        conducted.append(run)
        return SimpleNamespace(verdict=Verdict(Judgement.PASS), account=SimpleNamespace(anomalies={"conflicting": 5}), faults=())

    for name, stub in {
        "conduct": lambda run: run,
        "open_load": lambda _: None,
        "points": lambda *_: [],
        "found_among_told": lambda _: {"misrouted": 0, "conflicting": 3},
    }.items():
        monkeypatch.setattr(running, name, stub)
    scenario = load_scenario(scenario_files()["lake"]).model_copy(update={"allow": allow})
    run = Running("lake", scenario, [], tmp_path, recorded, seed=None, records=100)
    tried = run._run(run._recipe(faults), None, "000000000001")
    assert (conducted[0].shown, tried.judgement) == (shown, judgement)
    assert tried.reasons == (("3 records conflicting",) if judgement is Judgement.FAIL else ())
