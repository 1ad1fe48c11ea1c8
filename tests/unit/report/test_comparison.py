"""What is worse in one run than in another."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from harness.accounting.verdict import Account, Judgement, Outcomes
from harness.errors import UsageError
from harness.report.comparison import compare
from harness.report.result import write_result
from harness.run.events import CheckFinished, Classes, Timing
from tests.unit.report.runs import finished, lost

TIMING = {"start_s": 0.6, "deploy_s": 4.5, "load_s": 0.9, "drain_s": 1.2, "total_s": 8.8, "records_per_s": 4626.4}


@pytest.fixture
def run_dir(tmp_path):
    """Returns a function: the directory of a run that has ended."""

    def made(name, account=None, judgement=Judgement.PASS, timing=(), **more):
        (tmp_path / name).mkdir()
        write_result(
            finished(account or lost(0), judgement, run_dir=tmp_path / name, timing=Timing(**TIMING | dict(timing)), **more)
        )
        return tmp_path / name

    return made


def worse(one, other, threshold=0.2):
    return {line.name: line.worse for line in compare(one, other, threshold).regressions}


def test_a_run_is_no_worse_than_itself(run_dir):
    one = run_dir("a", classes=Classes(exercised={"x": 1}))
    found = compare(one, one, 0)
    assert (found.regressions, found.notes, found.exit_code) == ([], (), 0)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ({"account": lost(2), "judgement": Judgement.FAIL}, {"verdict": "the verdict is worse", "lost": "more than before"}),
        ({"timing": {"drain_s": 2.4}}, {"drain": "100% longer"}),
        ({"timing": {"records_per_s": 2313.2}}, {"records/s": "50% fewer"}),
        ({"account": lost(0, p95=2.5)}, {"latency p95": "25% longer"}),
        ({"account": lost(0, p99=None)}, {"latency p99": "no longer known"}),
        ({"checks": (CheckFinished("sum", holds=False, text="3 is not 4"),)}, {"check: sum": "does not hold"}),
        ({"checks": ()}, {"check: sum": "no longer checked"}),
        ({"classes": Classes(exercised={"x": 1})}, {"classes exercised": "no longer: y"}),
        ({"faults": ({"id": "f", "kind": "throttle", "planned": 1, "seen": 1, "fired": 0},)}, {"faults fired": "no longer: f"}),
        (
            {"account": Account(), "judgement": Judgement.UNKNOWN},
            {"verdict": "the verdict is worse", "lost": "no longer known"},
        ),
    ],
)
def test_what_is_worse_is_told(run_dir, after, told):
    common = {
        "classes": Classes(exercised={"x": 1, "y": 1}),
        "faults": ({"id": "f", "kind": "throttle", "planned": 1, "seen": 1, "fired": 1},),
        "checks": (CheckFinished("sum", holds=True, text="3 is 3"),),
    }
    found = worse(run_dir("a", **common), run_dir("b", **common | after))
    assert told.items() <= found.items()


@pytest.mark.parametrize(
    "after",
    [
        {"timing": {"drain_s": 1.39}},
        {"timing": {"records_per_s": 4000.0}},
        {"account": lost(0, p50=1.19)},
        {"timing": {"deploy_s": 1.0}},
    ],
)
def test_what_is_within_the_threshold_or_better_is_not(run_dir, after):
    assert worse(run_dir("a"), run_dir("b", **after)) == {}


@pytest.mark.parametrize(
    "after",
    [
        {"judgement": Judgement.PASS},
        {"judgement": Judgement.FAIL, "faults": ({"id": "f", "kind": "hang", "planned": 1, "seen": 1, "fired": 1},)},
    ],
)
def test_times_of_runs_that_ended_otherwise_or_met_other_faults_are_not_judged(run_dir, after):
    found = compare(
        run_dir("a", judgement=Judgement.FAIL), run_dir("b", timing={"drain_s": 9.0, "records_per_s": 1.0}, **after), 0.2
    )
    assert found.regressions == []
    assert "times and rates are not judged" in found.notes[0]


def test_a_difference_of_a_moment_is_none(run_dir):
    assert worse(run_dir("a", timing={"load_s": 0.05}), run_dir("b", timing={"load_s": 0.2})) == {}


def test_fewer_losses_are_no_regression_and_two_unknown_verdicts_are_unknown(run_dir):
    assert worse(run_dir("a", lost(3), Judgement.FAIL), run_dir("b", lost(2), Judgement.FAIL)) == {}
    unknown = [run_dir(name, Account(), Judgement.UNKNOWN) for name in "cd"]
    assert compare(*unknown, 0.2).exit_code == 2


def test_records_that_end_elsewhere_are_told_where_the_bytes_are_the_same(run_dir):
    moved = replace(lost(0), outcome=Outcomes(stored=4, dead_lettered=6))
    one = run_dir("a")
    assert worse(one, run_dir("b", moved)) == {"stored": "fewer than before", "dead_lettered": "more than before"}
    assert worse(one, run_dir("c", moved, payload_sha256="cd" * 32)) == {}


def test_another_load_is_told_and_another_scenario_refused(run_dir):
    one, other = run_dir("a"), run_dir("b", payload_sha256="cd" * 32)
    assert len(compare(one, other, 0.2).notes) == 1
    result = json.loads((other / "result.json").read_text())
    (other / "result.json").write_text(json.dumps(result | {"scenario": "students"}))
    with pytest.raises(UsageError, match="only runs of one scenario"):
        compare(one, other, 0.2)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": 1}', '{"schema": 2}', '{"schema": 1, "scenario": "orders"}'])
def test_a_directory_without_a_result_is_refused(run_dir, content):
    one, other = run_dir("a"), run_dir("b")
    (other / "result.json").write_text(content)
    with pytest.raises(UsageError, match="b"):
        compare(one, other, 0.2)


def test_names_are_no_markup_and_a_threshold_is_a_number(run_dir):
    one, other = run_dir("a", classes=Classes(exercised={"[/x]": 1})), run_dir("b")

    def compared(*options):
        return subprocess.run(
            [sys.executable, "-m", "harness", "compare", str(one), str(other), *options],
            capture_output=True,
            text=True,
            check=False,
        )

    assert "no longer: [/x]" in compared().stdout
    assert [compared("--threshold", wrong).returncode for wrong in ("nan", "inf", "-1")] == [64, 64, 64]


def test_the_command_ends_with_1_on_a_regression(run_dir):
    one, other = run_dir("a"), run_dir("b", lost(2), Judgement.FAIL)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "compare", str(one), str(other)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "3 of 26 figures are worse: verdict, stored, lost" in done.stdout
