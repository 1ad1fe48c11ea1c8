"""Step Functions: Express executions."""

from __future__ import annotations

import json
import re

import pytest

from tests.conformance.machines import FAILING, output


def express(clients, states, **top):
    return clients("stepfunctions").create_state_machine(
        name="express", type="EXPRESS", definition=json.dumps({"StartAt": next(iter(states)), "States": states, **top}),
        roleArn=f"arn:aws:iam::{clients.account}:role/machine",
    )["stateMachineArn"]  # fmt: skip


START_SYNC = "step-functions/latest/apireference/API_StartSyncExecution.html"


@pytest.mark.rule(START_SYNC)
def test_an_express_execution_answers_with_its_result(clients):
    """StartSyncExecution of an Express state machine answers when the execution has ended: with its output, or with error and cause."""
    client, arn = clients("stepfunctions"), express(clients, FAILING)
    good = client.start_sync_execution(stateMachineArn=arn, input='{"n": 1}')
    assert (good["status"], json.loads(good["output"])) == ("SUCCEEDED", {"n": 1})
    bad = client.start_sync_execution(stateMachineArn=arn, input='{"n": 8}')
    assert (bad["status"], bad["error"], bad["cause"]) == ("FAILED", "Mine", "because")


@pytest.mark.rule(START_SYNC)
def test_an_express_execution_that_takes_too_long_has_timed_out(clients):
    """StartSyncExecution answers TIMED_OUT when the state machine's TimeoutSeconds are over."""
    states = {"W": {"Type": "Wait", "Seconds": 60, "End": True}}
    answer = clients("stepfunctions").start_sync_execution(stateMachineArn=express(clients, states, TimeoutSeconds=1))
    assert answer["status"] == "TIMED_OUT"


@pytest.mark.rule("step-functions/latest/dg/choosing-workflow-type.html")
@pytest.mark.parametrize("resource", ["states:::sqs:sendMessage.waitForTaskToken", "states:::states:startExecution.sync:2"])
def test_an_express_workflow_neither_waits_for_a_token_nor_for_a_job(clients, resource):
    """Express workflows do not support the callback (.waitForTaskToken) and run a job (.sync) patterns: the definition is refused."""
    parameters = {"StateMachineArn.$": "$$.Task.Token", "QueueUrl.$": "$", "MessageBody.$": "$$.Task.Token"}
    states = {"T": {"Type": "Task", "Resource": f"arn:aws:{resource}", "Parameters": parameters, "End": True}}
    with pytest.raises(clients("stepfunctions").exceptions.InvalidDefinition):
        express(clients, states)


@pytest.mark.rule("step-functions/latest/apireference/API_DescribeExecution.html")
def test_an_express_execution_cannot_be_described(clients):
    """DescribeExecution and GetExecutionHistory do not support Express executions: InvalidArn."""
    client = clients("stepfunctions")
    arn = client.start_execution(stateMachineArn=express(clients, FAILING), input='{"n": 1}')["executionArn"]
    for ask in (client.describe_execution, client.get_execution_history):
        with pytest.raises(client.exceptions.InvalidArn):
            ask(executionArn=arn)


@pytest.mark.rule("step-functions/latest/apireference/API_BillingDetails.html")
def test_an_express_execution_is_billed_by_time_and_memory(clients):
    """The answer of StartSyncExecution has the billed time, by 100 ms, and the billed memory, by 64 MB."""
    states = {"W": {"Type": "Wait", "Seconds": 1, "End": True}}
    billed = clients("stepfunctions").start_sync_execution(stateMachineArn=express(clients, states))["billingDetails"]
    assert billed["billedDurationInMilliseconds"] >= 1000
    assert billed["billedDurationInMilliseconds"] % 100 == 0
    assert billed["billedMemoryUsedInMB"] % 64 == 0


@pytest.mark.rule("step-functions/latest/dg/supported-services-awssdk.html")
def test_a_state_starts_an_express_execution(clients, machine):
    """A state can call StartSyncExecution by the SDK integration. It gets the status; a failed execution raises nothing."""
    parameters = {"StateMachineArn": express(clients, FAILING), "Input": {"n.$": "$.n"}}
    call = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution", "Parameters": parameters, "End": True}
    answers = [output(machine({"Call": call}, {"n": n})) for n in (1, 8)]
    assert [answer["Status"] for answer in answers] == ["SUCCEEDED", "FAILED"]
    assert json.loads(answers[0]["Output"]) == {"n": 1}
    assert (answers[1]["Error"], answers[1]["Cause"]) == ("Mine", "because")


@pytest.mark.rule("step-functions/latest/dg/supported-services-awssdk.html")
def test_a_date_of_an_answer_is_text(clients, machine):
    """In the data of a state the dates of an answer are texts by ISO 8601."""
    parameters = {"StateMachineArn": express(clients, FAILING), "Input": {"n": 1}}
    call = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution", "Parameters": parameters, "Next": "Text"}
    text = {"Type": "Pass", "Parameters": {"text.$": "States.JsonToString($)"}, "End": True}
    answer = json.loads(output(machine({"Call": call, "Text": text}))["text"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["StartDate"])


@pytest.mark.rule(START_SYNC)
def test_a_function_starts_an_express_execution(clients, functions):
    """A function of the account can call StartSyncExecution with the SDK's defaults."""
    source = """
import boto3
def handler(event, context):
    return boto3.client("stepfunctions").start_sync_execution(stateMachineArn=event, input='{"n": 1}')["status"]
"""
    functions.create("starter", source)
    assert functions.invoke("starter", express(clients, FAILING))[1] == "SUCCEEDED"
