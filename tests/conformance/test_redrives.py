"""Step Functions: RedriveExecution, and what is aborted when a part of an execution fails."""

from __future__ import annotations

import pytest

from tests.conformance.functions import wait_until, zipped
from tests.conformance.machines import distributed, output

REDRIVE = "step-functions/latest/dg/redrive-executions.html"
MAP_RUN = "step-functions/latest/dg/redrive-map-run.html"
# Notes which step has which number, and fails with the numbers from 2 on in step two.
FAILING = """
def handler(event, context):
    note((event["step"], event["n"]))
    assert event["step"] == "one" or event["n"] < 2
    return event["n"]
"""
HEALED = FAILING.replace('event["n"] < 2', "True")
# Step one of number 0 takes until the execution has failed.
SLOW = """
import time
import boto3

def handler(event, context):
    note((event["step"], event["n"]))
    assert event["n"] == 0
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if boto3.client("stepfunctions").describe_execution(executionArn=event["execution"])["status"] == "FAILED":
            return event["n"]
        time.sleep(0.05)
    raise TimeoutError("waited 60 s for the execution to fail")
"""


@pytest.fixture
def heal(clients):
    """Updates the code of the function `step`."""

    def update(source):
        clients("lambda").update_function_code(FunctionName="step", ZipFile=zipped({"app.py": source}))
        clients("lambda").get_waiter("function_updated_v2").wait(FunctionName="step", WaiterConfig={"Delay": 1})

    return update


@pytest.fixture
def steps(clients):
    """Two states, `One` and `Two`, each an invocation of the function `step`. The output is the number."""

    def task(step, **after):
        given = {"step": step, "n.$": "$", "execution.$": "$$.Execution.Id"}
        arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:step"
        return {"Type": "Task", "Resource": arn, "Parameters": given, **after}

    return {"One": task("one", Next="Two"), "Two": task("two", End=True)}


def inline(states, **options):
    """An inline Map of these states."""
    return {"Map": {"Type": "Map", "ItemProcessor": {"StartAt": "One", "States": states}, "End": True, **options}}


@pytest.mark.rule(REDRIVE)
def test_a_redrive_goes_on_with_the_failed_state(functions, machine, heal, steps, note, seen):
    """RedriveExecution goes on with the state that failed, with its input; states that succeeded are not run again."""
    functions.create("step", note + FAILING)
    failed = machine(steps, 2)
    assert (failed["status"], failed["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    heal(note + HEALED)
    ended = machine.redriven(failed["executionArn"])
    assert (output(ended), ended["redriveCount"]) == (2, 1)
    assert seen() == [("one", 2), ("two", 2), ("two", 2)]


@pytest.mark.rule(REDRIVE)
def test_a_success_cannot_be_redriven(clients, machine):
    """RedriveExecution of an execution that succeeded answers ExecutionNotRedrivable."""
    ended = machine({"P": {"Type": "Pass", "End": True}})
    assert (ended["redriveStatus"], ended["redriveCount"]) == ("NOT_REDRIVABLE", 0)
    with pytest.raises(clients("stepfunctions").exceptions.ExecutionNotRedrivable):
        clients("stepfunctions").redrive_execution(executionArn=ended["executionArn"])


@pytest.mark.rule(MAP_RUN)
def test_a_redrive_runs_the_children_that_failed_or_were_pending(clients, functions, machine, heal, steps, note, seen):
    """A redrive of a Distributed Map goes on with the failed state of each child that failed, and starts those that were pending, in the same Map Run."""
    functions.create("step", note + FAILING)
    failed = machine(distributed(steps, MaxConcurrency=1), [0, 1, 2, 3])
    assert failed["status"] == "FAILED"
    (run,) = clients("stepfunctions").list_map_runs(executionArn=failed["executionArn"])["mapRuns"]
    heal(note + HEALED)
    before = len(seen())
    assert output(machine.redriven(failed["executionArn"])) == [0, 1, 2, 3]
    assert seen()[before:] == [("two", 2), ("one", 3), ("two", 3)]
    (same,) = clients("stepfunctions").list_map_runs(executionArn=failed["executionArn"])["mapRuns"]
    described = clients("stepfunctions").describe_map_run(mapRunArn=same["mapRunArn"])
    counts = described["executionCounts"]
    assert (same["mapRunArn"], described["status"], described["redriveCount"]) == (run["mapRunArn"], "SUCCEEDED", 1)
    assert (counts["succeeded"], counts["failed"], counts["running"], counts["total"]) == (4, 0, 0, 4)


@pytest.mark.rule(MAP_RUN)
def test_a_redrive_starts_express_children_anew(functions, machine, heal, steps, note, seen):
    """A redrive starts the express children of a Distributed Map that failed from their first state."""
    functions.create("step", note + FAILING)
    failed = machine(distributed(steps, execution_type="EXPRESS", MaxConcurrency=1), [0, 1, 2, 3])
    heal(note + HEALED)
    before = len(seen())
    assert output(machine.redriven(failed["executionArn"])) == [0, 1, 2, 3]
    assert seen()[before:] == [("one", 2), ("two", 2), ("one", 3), ("two", 3)]


@pytest.mark.rule(MAP_RUN)
def test_a_redrive_may_fail_again(functions, machine, heal, steps, note, seen):
    """A Map Run that is redriven fails again with its children, and can be redriven again."""
    functions.create("step", note + FAILING)
    failed = machine(distributed(steps, MaxConcurrency=1), [2, 0])
    again = machine.redriven(failed["executionArn"])
    assert (again["status"], again["error"], again["redriveCount"]) == ("FAILED", "States.ExceedToleratedFailureThreshold", 1)
    heal(note + HEALED)
    ended = machine.redriven(failed["executionArn"])
    assert (output(ended), ended["redriveCount"]) == ([2, 0], 2)
    assert seen() == [("one", 2), ("two", 2), ("two", 2), ("two", 2), ("one", 0), ("two", 0)]


@pytest.mark.rule(REDRIVE)
def test_a_redrive_goes_on_with_the_iteration_that_failed(functions, machine, heal, steps, note, seen):
    """A redrive of an inline Map goes on with the failed state of the iteration that failed; those that succeeded are not run again."""
    functions.create("step", note + FAILING)
    failed = machine(inline(steps, MaxConcurrency=1), [0, 2, 3])
    heal(note + HEALED)
    before = len(seen())
    assert output(machine.redriven(failed["executionArn"])) == [0, 2, 3]
    assert seen()[before:] == [("two", 2), ("one", 3), ("two", 3)]


@pytest.mark.rule(REDRIVE)
def test_a_redrive_goes_on_with_the_branch_that_failed(functions, machine, heal, steps, note, seen):
    """A redrive of a Parallel goes on with the failed state of the branch that failed; those that succeeded are not run again."""
    functions.create("step", note + FAILING)
    healthy = {"StartAt": "Set", "States": {"Set": {"Type": "Pass", "Result": "set", "End": True}}}
    nested = {"StartAt": "Map", "States": inline(steps, MaxConcurrency=1, ItemsPath="$.list")}
    failed = machine({"Both": {"Type": "Parallel", "Branches": [healthy, nested], "End": True}}, {"list": [1, 2]})
    heal(note + HEALED)
    before = len(seen())
    assert output(machine.redriven(failed["executionArn"])) == ["set", [1, 2]]
    assert seen()[before:] == [("two", 2)]


@pytest.mark.rule(REDRIVE)
def test_variables_outlive_a_redrive(functions, machine, heal, steps, note, seen):
    """Variables that an iteration has assigned are there when it is redriven."""
    functions.create("step", note + FAILING)
    states = {**steps, "Two": {**steps["Two"], "Parameters": {**steps["Two"]["Parameters"], "n.$": "$kept"}}}
    states["One"] = {**steps["One"], "Assign": {"kept.$": "$"}, "ResultPath": None}
    failed = machine(inline(states), [2])
    heal(note + HEALED)
    assert output(machine.redriven(failed["executionArn"])) == [2]
    assert seen() == [("one", 2), ("two", 2), ("two", 2)]


@pytest.mark.rule(REDRIVE)
def test_a_retry_after_a_redrive_runs_all_iterations(functions, machine, steps, note, seen):
    """A Retry of a Map runs all its iterations again, also where a redrive goes on with it."""
    functions.create("step", note + FAILING)
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    failed = machine(inline(steps, MaxConcurrency=1, Retry=retry), [0, 2])
    before = len(seen())
    assert machine.redriven(failed["executionArn"])["status"] == "FAILED"
    assert seen()[before:] == [("two", 2), ("one", 0), ("two", 0), ("one", 2), ("two", 2)]


@pytest.mark.rule("step-functions/latest/dg/state-map-inline.html")
def test_a_failed_map_begins_no_further_states(clients, functions, machine, steps, note, seen):
    """When an iteration of an inline Map fails, the others are aborted: no further state of theirs begins."""
    functions.create("step", note + SLOW)
    failed = machine(inline(steps), [0, 1])
    arn = failed["executionArn"]

    def aborted():
        pages = clients("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return any(event["type"] == "MapIterationAborted" for page in pages for event in page["events"])

    wait_until(aborted, "the iteration to be aborted")
    assert sorted(seen()) == [("one", 0), ("one", 1)]


@pytest.mark.rule("step-functions/latest/dg/state-map-distributed.html")
def test_a_failed_map_run_aborts_its_children(clients, functions, machine, steps, note, seen):
    """When a Map Run fails, the children that still run are aborted: no further state of theirs begins."""
    functions.create("step", note + SLOW)
    failed = machine(distributed(steps), [0, 1])
    client = clients("stepfunctions")
    (run,) = client.list_map_runs(executionArn=failed["executionArn"])["mapRuns"]
    wait_until(lambda: client.describe_map_run(mapRunArn=run["mapRunArn"])["executionCounts"]["aborted"], "a child to be aborted")
    assert sorted(seen()) == [("one", 0), ("one", 1)]
