"""What a scenario is judged by where faults are tried."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from harness.accounting.verdict import Judgement
from harness.explore.running import Running, under_faults
from harness.explore.search import Tried
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario


@pytest.mark.parametrize("name", ["records", "customers", "clickstream-smoke"])
def test_what_is_tried_again_is_counted_again_and_other_checks_stay(name):
    scenario = load_scenario(scenario_files()[name])
    judged = under_faults(scenario)
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
