"""Step Functions: executions that are stopped or run out of time, and what their states do then."""

from __future__ import annotations

import pytest

from tests.conformance.functions import wait_until
from tests.conformance.machines import distributed, output

CONTEXT = "step-functions/latest/dg/input-output-contextobject.html"
STOP = "step-functions/latest/apireference/API_StopExecution.html"
# Runs until its execution has ended, and then fails, or returns where it is the second.
LEFT = """
import time
import boto3

def handler(event, context):
    note("begun")
    if event["redrives"]:
        return "redriven"
    client = boto3.client("stepfunctions")
    until = time.monotonic() + 60
    while time.monotonic() < until and client.describe_execution(executionArn=event["execution"])["status"] == "RUNNING":
        time.sleep(0.05)
    note("left")
    raise ValueError("too late to matter")
"""
WAIT = {"Wait": {"Type": "Wait", "Seconds": 50, "End": True}}
INNER = {"StartAt": "Wait", "States": WAIT}
OTHER = {"StartAt": "Other", "States": {"Other": WAIT["Wait"]}}


@pytest.fixture
def left(clients, functions, note):
    """A state that runs until its execution has ended, and would be tried again."""
    functions.create("left", note + LEFT, Timeout=70)
    return {
        "Left": {
            "Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:left", "End": True,
            "Parameters": {"execution.$": "$$.Execution.Id", "redrives.$": "$$.Execution.RedriveCount"},
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}],
        }
    }  # fmt: skip


@pytest.mark.rule(STOP)
@pytest.mark.parametrize(
    "state",
    [
        WAIT["Wait"],
        {"Type": "Parallel", "Branches": [INNER, OTHER], "End": True},
        {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": INNER, "End": True},
        distributed(WAIT, ItemsPath="$.items")["Map"],
    ],
    ids=["wait", "parallel", "map", "distributed map"],
)
def test_a_stopped_execution_is_aborted_at_once(machine, state):
    """StopExecution ends an execution at once, with the error and the cause that it is given, whatever its state waits for."""
    execution = machine.start({"S": state}, {"items": [1, 2, 3]})
    wait_until(lambda: any(event.endswith("StateEntered") for event in machine.events(execution)), "the state to begin")
    stopped = machine.stop(execution)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Stopped", "by hand")
    assert "stopDate" in stopped
    assert machine.events(execution)[-1] == "ExecutionAborted"


@pytest.mark.rule(STOP)
def test_an_execution_that_is_stopped_as_it_begins_is_aborted(machine):
    """An execution can be stopped as soon as StartExecution has returned."""
    assert [machine.stop(machine.start(WAIT, n))["status"] for n in range(5)] == ["ABORTED"] * 5


@pytest.mark.rule(STOP)
def test_what_a_state_does_when_its_execution_has_been_stopped_changes_nothing(machine, left, seen):
    """A task that is running when its execution is stopped is neither retried nor told of in the history."""
    execution = machine.start(left)
    wait_until(lambda: "begun" in seen(), "the task to begin")
    stopped, events = machine.stop(execution), machine.events(execution)
    wait_until(lambda: "left" in seen(), "the task to notice")
    other = machine(WAIT | {"Wait": {"Type": "Wait", "Seconds": 3, "End": True}})
    assert other["status"] == "SUCCEEDED"
    assert seen() == ["begun", "left"]
    now = machine.ended(execution)
    assert (now["status"], now["stopDate"], machine.events(execution)) == ("ABORTED", stopped["stopDate"], events)


@pytest.mark.rule("step-functions/latest/dg/redrive-executions.html")
def test_a_stopped_execution_is_redriven_whatever_its_state_still_does(machine, left, seen):
    """A redrive of an aborted execution runs the state again that was running; what the first attempt does in the end is not part of it."""
    execution = machine.start(left)
    wait_until(lambda: "begun" in seen(), "the task to begin")
    machine.stop(execution)
    assert output(machine.redriven(execution)) == "redriven"
    wait_until(lambda: "left" in seen(), "the first attempt to notice")
    events = machine.events(execution)
    assert events[-1] == "ExecutionSucceeded"
    assert events.index("ExecutionAborted") == events.index("ExecutionRedriven") - 1
    assert output(machine.ended(execution)) == "redriven"


@pytest.mark.rule(STOP)
def test_an_execution_that_has_ended_is_not_stopped(machine):
    """StopExecution leaves an execution as it is that has succeeded."""
    execution = machine({"P": {"Type": "Pass", "Result": "done", "End": True}})["executionArn"]
    events = machine.events(execution)
    assert output(machine.stop(execution)) == "done"
    assert machine.events(execution) == events


@pytest.mark.rule("step-functions/latest/dg/statemachine-structure.html")
def test_an_execution_that_runs_out_of_time_ends_with_it(machine, left, seen):
    """An execution that runs longer than its TimeoutSeconds is TIMED_OUT, and its history ends with ExecutionTimedOut."""
    ended = machine(left, TimeoutSeconds=4)
    assert (ended["status"], seen()[0]) == ("TIMED_OUT", "begun")
    events = machine.events(ended["executionArn"])
    wait_until(lambda: "left" in seen(), "the task to notice")
    assert events[-1] == "ExecutionTimedOut"
    other = machine(WAIT | {"Wait": {"Type": "Wait", "Seconds": 3, "End": True}})
    assert (other["status"], seen()) == ("SUCCEEDED", ["begun", "left"])
    assert (machine.ended(ended["executionArn"])["status"], machine.events(ended["executionArn"])) == ("TIMED_OUT", events)


@pytest.mark.rule(CONTEXT)
def test_the_context_counts_redrives(clients, machine):
    """$$.Execution.RedriveCount is 0 before the first redrive, and $$.Execution.RedriveTime is there after it."""
    told = {"T": {"Type": "Pass", "Parameters": {"count.$": "$$.Execution.RedriveCount"}, "End": True}}
    assert output(machine(told)) == {"count": 0}
    waiting = {"W": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "T"}}
    execution = machine.start(
        waiting | {"T": {"Type": "Pass", "Parameters": {"execution.$": "$$.Execution"}, "End": True}}, {"seconds": 3}
    )
    wait_until(lambda: "WaitStateEntered" in machine.events(execution), "the state to begin")
    machine.stop(execution)
    redriven = output(machine.redriven(execution))["execution"]
    assert (redriven["RedriveCount"], redriven["RedriveTime"] > redriven["StartTime"]) == (1, True)
