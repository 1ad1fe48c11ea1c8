"""pipeproof under pytest, in a project of a user's own: scenarios and stacks as tests, with pytest-xdist and without, on a real emulator."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from tests.e2e.swallowing import write_project

pytest_plugins = ["pytester"]

TESTS = """
import pytest

THROTTLED = [{"kind": "throttle", "service": "s3", "operation": "PutObject", "calls": "3-6"}]

@pytest.mark.scenario("orders.yaml", seed=2, records=30)
def test_orders_arrive(account):
    assert account.outcome["stored"] == 30

@pytest.mark.scenario("orders.yaml", faults=THROTTLED)
def test_orders_arrive_where_s3_throttles(account):
    raise ValueError("the test has run")

@pytest.mark.scenario("orders.yaml", faults=THROTTLED, verdict="fail")
def test_the_loss_is_found(account):
    assert account.anomalies["lost"] == 4

def test_two_runs_of_one_test_have_their_own_accounts(run_scenario):
    assert run_scenario("orders.yaml").passed
    found = run_scenario("orders.yaml", faults=THROTTLED, verdict=None)
    assert (found.verdict, found.reasons[0]) == ("fail", "4 of 20 records lost")
    assert "SlowDown" in repr(found)

@pytest.mark.stack("template.yaml", Folder="mine")
def test_a_stack_of_its_own(stack, pipeproof_emulator):
    assert stack.endpoint == pipeproof_emulator.endpoint
    stack.client("sqs").send_message(QueueUrl=stack.outputs["Queue"], MessageBody='{"id": "1"}')
    stack.client("s3").get_waiter("object_exists").wait(Bucket=stack.resources["Stored"], Key="mine/1.json", WaiterConfig={"Delay": 1})

@pytest.mark.stack("broken.yaml")
def test_a_stack_that_cannot_be_deployed(stack):
    pass
"""


@pytest.fixture
def project(pytester):
    """Returns a project of a user's own."""
    write_project(pytester.path)
    pytester.makefile(".yaml", broken="Resources: {A: {Type: AWS::SQS::Queu}}")
    pytester.makepyfile(test_orders=TESTS)
    return pytester


def emulators_of(folder):
    """Returns the processes that an emulator of this project has left."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if str(folder) in str((process.info["environ"] or {}).get("PIPEPROOF_TMPDIR"))
    ]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_scenarios_and_stacks_are_tests(project, monkeypatch, workers):
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PIPEPROOF_TMPDIR", str(project.mkdir("work")))
    result = project.runpytest_subprocess(
        "orders.yaml", "test_orders.py", "--pipeproof-report", "found", "--junitxml", "junit.xml", *workers
    )
    result.assert_outcomes(passed=5, failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "the verdict is fail, not pass: 4 of 20 records lost",
            "4 of 20 records lost",
            "*log, which does not name it: not stored: *SlowDown*PutObject*",
            "FAIL *",
            "Reproduce with: pipeproof replay *",
        ]
    )
    result.stdout.fnmatch_lines(["FAILED test_orders.py::*throttles - Failed: the verdict is fail, not pass: 4 of 20 records lost"])
    result.stdout.fnmatch_lines(["*broken.yaml:1: A: *AWS::SQS::Queu*"])
    result.stdout.no_fnmatch_line("*the test has run*")
    # Where CI is set, pytest's summary repeats a failure's message as long as it is.
    assert len([line for line in result.outlines if line.startswith("Reproduce with: ")]) == 1
    runs = [path for path in (project.path / "found").iterdir() if not path.is_symlink()]
    # One emulator for all workers, and five runs, each with its directory.
    assert len([path for path in runs if path.name.endswith("-pytest")]) == 1
    verdicts = sorted(
        json.loads((path / "result.json").read_text())["verdict"] for path in runs if not path.name.endswith("-pytest")
    )
    assert verdicts == ["fail", "fail", "fail", "pass", "pass", "pass"]
    properties = [
        {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in ET.parse(project.path / "junit.xml").iter("testcase")
        if case.get("name") in {"orders", "test_orders_arrive_where_s3_throttles"}
    ]
    assert [(one["pipeproof.verdict"], one["pipeproof.stored"], one["pipeproof.lost"]) for one in properties] == [
        ("pass", "20", "0"),
        ("fail", "16", "4"),
    ]
    assert not emulators_of(project.path)
    assert not os.listdir(project.path / "work")  # noqa: PTH208 - Path.iterdir() is always true


DRAWN = """
from hypothesis import HealthCheck, given, settings
from harness.strategies import fault_plans

@settings(max_examples=1, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=fault_plans("runs/latest"))
def test_drawn_faults(run_scenario, plan):
    found = run_scenario("orders.yaml", faults=plan, verdict=None)
    assert sum(fault["fired"] for fault in found.result["faults"]) > 0
"""


def test_faults_are_drawn_from_an_earlier_run(project):
    project.runpytest_subprocess("orders.yaml").assert_outcomes(passed=1)
    project.makepyfile(test_drawn=DRAWN)
    project.runpytest_subprocess("test_drawn.py").assert_outcomes(passed=1)


def test_a_failing_run_is_reproduced_by_the_command_that_it_tells(project):
    result = project.runpytest_subprocess("test_orders.py", "-k", "s3_throttles")
    (command,) = [line for line in result.outlines if line.startswith("Reproduce with: ")]
    told = project.run(sys.executable, "-m", "harness", *command.removeprefix("Reproduce with: pipeproof ").split())
    assert told.ret == 1
    told.stdout.fnmatch_lines(["4 of 20 records lost"])
    assert Path(project.path, "runs").is_dir()
