"""Step Functions: tasks that wait for their token, and what answers to it are worth."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until
from tests.conformance.machines import output

TOKENS = "step-functions/latest/dg/connect-to-resource.html#connect-wait-token"


@pytest.fixture
def asked(clients):
    """Starts a machine whose first state sends its token to a queue and waits. Returns the execution and the token."""

    def start(states=None, top=None, **task):
        url = clients("sqs").create_queue(QueueName="tokens")["QueueUrl"]
        waiting = {
            "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}}, **(task or {"End": True}),
        }  # fmt: skip
        arn = clients("stepfunctions").create_state_machine(
            name="asking",
            definition=json.dumps({"StartAt": "T", "States": {"T": waiting, **(states or {})}, **(top or {})}),
            roleArn=f"arn:aws:iam::{clients.account}:role/machine",
        )["stateMachineArn"]
        execution = clients("stepfunctions").start_execution(stateMachineArn=arn)["executionArn"]
        message = clients("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
        return execution, json.loads(message["Body"])["token"]

    return start


def refused_as_too_late(client, token):
    """All three answers to a token are TaskTimedOut."""
    for send in (
        lambda: client.send_task_failure(taskToken=token, error="Later"),
        lambda: client.send_task_success(taskToken=token, output="1"),
        lambda: client.send_task_heartbeat(taskToken=token),
    ):
        with pytest.raises(client.exceptions.TaskTimedOut):
            send()


@pytest.mark.rule(TOKENS)
def test_a_task_token_is_waited_for(clients, asked, machine):
    """A task with .waitForTaskToken waits until SendTaskSuccess or SendTaskFailure brings its token back."""
    client = clients("stepfunctions")
    execution, token = asked()
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    client.send_task_success(taskToken=token, output='{"ok": true}')
    assert output(machine.ended(execution)) == {"ok": True}


@pytest.mark.rule("step-functions/latest/apireference/API_SendTaskSuccess.html")
def test_the_first_answer_closes_a_task_and_every_later_one_is_too_late(clients, asked, machine):
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat of a task that has been answered are TaskTimedOut, though its execution runs."""
    client = clients("stepfunctions")
    execution, token = asked({"W": {"Type": "Wait", "Seconds": 4, "End": True}}, Next="W")
    client.send_task_heartbeat(taskToken=token)
    client.send_task_success(taskToken=token, output='{"first": true}')
    refused_as_too_late(client, token)
    assert output(machine.ended(execution)) == {"first": True}


@pytest.mark.rule(TOKENS)
def test_a_retry_waits_for_a_token_of_its_own(clients, functions, machine, note, seen):
    """Each attempt of a task that waits has another token; that of an attempt which has failed is too late."""
    functions.create(
        "ask", note + "def handler(event, context):\n    note(event)\n    if event['n'] == 0: raise ValueError('later')\n"
    )
    client = clients("stepfunctions")
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": True, "HeartbeatSeconds": 30,
        "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token", "n.$": "$$.State.RetryCount"}},
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}],
    }  # fmt: skip
    arn = client.create_state_machine(
        name="asking", definition=json.dumps({"StartAt": "T", "States": {"T": task}}), roleArn=f"arn:aws:iam::{clients.account}:role/machine"
    )["stateMachineArn"]  # fmt: skip
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    first, second = wait_until(lambda: (asked := seen()) and len(asked) == 2 and asked, "the state to ask twice")
    assert first["token"] != second["token"]
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=first["token"], output='"first"')
    client.send_task_success(taskToken=second["token"], output='"second"')
    assert output(machine.ended(execution)) == "second"


@pytest.mark.rule(TOKENS)
def test_a_function_may_answer_with_its_token_before_it_returns(functions, machine):
    """SendTaskSuccess counts from the moment at which the token is known, also where the task has a HeartbeatSeconds."""
    functions.create(
        "ask",
        "import boto3\ndef handler(event, context):\n"
        "    boto3.client('stepfunctions').send_task_heartbeat(taskToken=event['token'])\n"
        "    boto3.client('stepfunctions').send_task_success(taskToken=event['token'], output='\"at once\"')\n",
    )
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken", "End": True, "HeartbeatSeconds": 10,
        "Parameters": {"FunctionName": "ask", "Payload": {"token.$": "$$.Task.Token"}},
    }  # fmt: skip
    assert output(machine({"T": task})) == "at once"


@pytest.mark.rule("step-functions/latest/apireference/API_SendTaskFailure.html")
@pytest.mark.parametrize(
    "after", [{"Type": "Wait", "Seconds": 30, "End": True}, {"Type": "Pass", "End": True}], ids=["goes on", "has ended"]
)
def test_the_answer_to_a_task_that_has_timed_out_is_too_late(clients, asked, after):
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat are TaskTimedOut, whether the execution goes on or has ended."""
    client = clients("stepfunctions")
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "After"}]
    execution, token = asked({"After": after}, End=True, TimeoutSeconds=1, Catch=catch)

    def is_after():
        history = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        entered = any(event.get("stateEnteredEventDetails", {}).get("name") == "After" for event in history)
        return entered and (after["Type"] == "Wait" or client.describe_execution(executionArn=execution)["status"] != "RUNNING")

    wait_until(is_after, "the execution to leave the task")
    refused_as_too_late(client, token)


@pytest.mark.rule("step-functions/latest/apireference/API_SendTaskFailure.html")
def test_the_answer_to_a_task_whose_execution_has_timed_out_is_too_late(clients, asked, machine):
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat are TaskTimedOut: the task has been closed."""
    execution, token = asked(top={"TimeoutSeconds": 1})
    assert machine.ended(execution)["status"] == "TIMED_OUT"
    refused_as_too_late(clients("stepfunctions"), token)


@pytest.mark.rule("step-functions/latest/apireference/API_StopExecution.html")
@pytest.mark.parametrize("options", [{"End": True}, {"End": True, "HeartbeatSeconds": 50}], ids=["plain", "heartbeat"])
def test_a_stopped_execution_waits_for_no_token(clients, asked, machine, options):
    """StopExecution ends an execution that waits for a token; an answer is too late then."""
    execution, token = asked(**options)
    assert machine.stop(execution)["status"] == "ABORTED"
    refused_as_too_late(clients("stepfunctions"), token)
    assert machine.events(execution)[-1] == "ExecutionAborted"


@pytest.mark.rule("step-functions/latest/dg/state-parallel.html")
def test_a_branch_that_is_aborted_waits_for_no_token(clients, machine, queue):
    """Where a branch of a Parallel fails, the others are aborted: the token that one waits for is closed, though the failure is caught."""
    _, bodies = queue("tokens")
    url = clients("sqs").get_queue_url(QueueName="tokens")["QueueUrl"]
    waiting = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
        "Parameters": {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"},
    }  # fmt: skip
    failing = {"Wait": {"Type": "Wait", "Seconds": 2, "Next": "Fail"}, "Fail": {"Type": "Fail", "Error": "Mine"}}
    execution = machine.start(
        {
            "Both": {
                "Type": "Parallel", "Catch": [{"ErrorEquals": ["Mine"], "Next": "After"}], "Next": "After",
                "Branches": [{"StartAt": "Ask", "States": {"Ask": waiting}}, {"StartAt": "Wait", "States": failing}],
            },
            "After": {"Type": "Wait", "Seconds": 6, "End": True},
        }
    )  # fmt: skip
    (token,) = wait_until(bodies, "the branch to ask")
    wait_until(lambda: "ParallelStateExited" in machine.events(execution), "the failure to be caught")
    refused_as_too_late(clients("stepfunctions"), token)
    assert machine.ended(execution)["status"] == "SUCCEEDED"
