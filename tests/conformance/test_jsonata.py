"""Step Functions: JSONata, callbacks and histories."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.conformance.functions import wait_until
from tests.conformance.machines import output

JSONATA = "step-functions/latest/dg/transforming-data.html"
TEXTS = ["a\\b", 'say "yes"', '{"k": 1}', '" & $states.input.secret & "', "line\nend", "ü 日本"]


def passed(expression, **state):
    return {"P": {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True, **state}}


@pytest.mark.rule("step-functions/latest/dg/workflow-variables.html")
@pytest.mark.parametrize("text", TEXTS)
def test_a_variable_keeps_its_text(machine, text):
    """A variable has the text that was assigned to it, whatever is in it."""
    assigned = {"Type": "Pass", "Assign": {"v": "{% $states.input.text %}"}, "Next": "P"}
    ended = machine({"A": assigned, **passed("$v")}, {"text": text, "secret": "s"}, QueryLanguage="JSONata")
    assert output(ended) == text


@pytest.mark.rule(JSONATA)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$hash('abc', 'SHA-256')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("$hash('abc', 'MD5')", "900150983cd24fb0d6963f7d28e17f72"),
        ("$length($uuid())", 36),
        ("$uuid() = $uuid()", False),
        ("$parse('[1, 2]')", [1, 2]),
        ("$range(0, 4, 2)", [0, 2, 4]),
    ],
)
def test_functions_of_step_functions(machine, expression, expected):
    """$hash, $uuid, $parse and $range are there beside the functions of JSONata."""
    assert output(machine(passed(expression), {}, QueryLanguage="JSONata")) == expected


@pytest.mark.rule("step-functions/latest/dg/concepts-error-handling.html")
@pytest.mark.parametrize("expression", ["1 + 'a'", "$number('x')", "$error('x')", "$eval('1+1')", "$hash('a', 'none')"])
def test_an_expression_that_fails(machine, expression):
    """An expression that cannot be evaluated is States.QueryEvaluationError; $eval is not available."""
    ended = machine(passed(expression), {}, QueryLanguage="JSONata")
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.rule(JSONATA)
def test_a_refused_definition_leaves_the_next_alone(clients, machine):
    """A definition that is refused has no effect on others."""
    wrong = {"StartAt": "P", "QueryLanguage": "JSONata", "States": {"P": {"Type": "Pass", "InputPath": "$", "Next": 1}}}
    with pytest.raises(ClientError):
        clients("stepfunctions").create_state_machine(
            name="wrong", definition=json.dumps(wrong), roleArn=f"arn:aws:iam::{clients.account}:role/r"
        )
    assert output(machine({"P": {"Type": "Pass", "InputPath": "$.a", "End": True}}, {"a": 1})) == 1


@pytest.mark.rule("step-functions/latest/apireference/API_SendTaskSuccess.html")
def test_the_output_of_a_task_is_json(clients):
    """An output that is no JSON is refused, and the task goes on waiting."""
    machines, queue = clients("stepfunctions"), clients("sqs").create_queue(QueueName="work")["QueueUrl"]
    waits = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        "End": True,
    }
    arn = machines.create_state_machine(
        name="m", definition=json.dumps({"StartAt": "W", "States": {"W": waits}}), roleArn=f"arn:aws:iam::{clients.account}:role/r"
    )["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=arn)["executionArn"]
    (message,) = clients("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
    with pytest.raises(machines.exceptions.InvalidOutput):
        machines.send_task_success(taskToken=message["Body"], output="no json")
    machines.send_task_success(taskToken=message["Body"], output="1")
    wait_until(lambda: machines.describe_execution(executionArn=execution)["status"] == "SUCCEEDED", "the execution")


@pytest.mark.rule("step-functions/latest/apireference/API_GetExecutionHistory.html")
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_history_by_pages(clients, machine, newest_first):
    """maxResults and nextToken go through all events of a history, in either order."""
    states = {f"P{n}": {"Type": "Pass", "Next": f"P{n + 1}"} for n in range(4)} | {"P4": {"Type": "Pass", "End": True}}
    execution = machine(states)["executionArn"]
    pages = clients("stepfunctions").get_paginator("get_execution_history")
    told = [page["events"] for page in pages.paginate(executionArn=execution, reverseOrder=newest_first, maxResults=5)]
    ids = [event["id"] for page in told for event in page]
    assert [len(page) for page in told] == [5, 5, 2]
    assert ids == sorted(range(1, 13), reverse=newest_first)


@pytest.mark.rule("step-functions/latest/dg/concepts-error-handling.html")
@pytest.mark.parametrize("kind", ["Task", "Parallel", "Map"])
def test_an_error_in_an_output_is_caught(machine, kind):
    """An Output that fails is States.QueryEvaluationError, which the state's Catch sees; its $states.input is that of the state."""
    inner = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    made = {
        "Task": {"Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity"},
        "Parallel": {"Branches": [inner]},
        "Map": {"ItemProcessor": inner, "Items": "{% [1] %}"},
    }[kind]
    caught = {"ErrorEquals": ["States.QueryEvaluationError"], "Next": "C", "Output": "{% $states.input.n %}"}
    states = {
        "S": {"Type": kind, **made, "Output": "{% $number('none') %}", "Catch": [caught], "End": True},
        "C": {"Type": "Pass", "End": True},
    }
    assert output(machine(states, {"n": 7}, QueryLanguage="JSONata")) == 7


@pytest.mark.rule("step-functions/latest/dg/transforming-data.html")
def test_the_output_of_a_task_is_made_once(machine):
    """Output has the result of its state, and the next state has it as its input."""
    states = {
        "S": {"Type": "Parallel", "Branches": [{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}], "Output": "{% {'got': $states.result} %}", "Next": "T"},
        "T": {"Type": "Pass", "Output": "{% [$states.input] %}", "End": True},
    }  # fmt: skip
    assert output(machine(states, {"n": 7}, QueryLanguage="JSONata")) == [{"got": [{"n": 7}]}]


@pytest.mark.rule("step-functions/latest/dg/concepts-error-handling.html")
def test_a_retry_begins_with_the_input_of_the_state(machine, clients, functions, note, seen):
    """A state whose Output fails is tried again with its own input."""
    functions.create("work", f"{note}\ndef handler(event, context):\n    note(event)\n    return 'result'\n")
    errors = {"ErrorEquals": ["States.QueryEvaluationError"]}
    states = {
        "S": {
            "Type": "Task",
            "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:work",
            "Output": "{% $number('none') %}",
            "Retry": [{**errors, "MaxAttempts": 1, "IntervalSeconds": 1}],
            "Catch": [{**errors, "Next": "C"}],
            "End": True,
        },
        "C": {"Type": "Pass", "Output": "caught", "End": True},
    }
    assert output(machine(states, {"n": 7}, QueryLanguage="JSONata")) == "caught"
    assert seen() == [{"n": 7}, {"n": 7}]


@pytest.mark.rule("step-functions/latest/dg/workflow-variables.html")
def test_an_output_does_not_see_what_its_state_assigns(machine):
    """Assign and Output are evaluated at the same time: the next state sees the new value."""
    inner = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    states = {
        "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"},
        "B": {"Type": "Parallel", "Branches": [inner], "Assign": {"x": "{% $x + 1 %}"}, "Output": {"was": "{% $x %}"}, "Next": "C"},
        "C": {"Type": "Pass", "Output": "{% $merge([$states.input, {'is': $x}]) %}", "End": True},
    }
    assert output(machine(states, {}, QueryLanguage="JSONata")) == {"was": 1, "is": 2}


@pytest.mark.rule("step-functions/latest/dg/test-state-isolation.html")
def test_a_state_by_itself(clients):
    """TestState runs one state, which no machine needs to have."""
    state = json.dumps({"Type": "Pass", "Result": {"a": 1}, "End": True})
    role = f"arn:aws:iam::{clients.account}:role/machine"
    answer = clients("stepfunctions").test_state(definition=state, roleArn=role, input="{}")
    assert (answer["status"], json.loads(answer["output"])) == ("SUCCEEDED", {"a": 1})
