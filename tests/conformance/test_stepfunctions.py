"""Step Functions: states, errors, data flow."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until
from tests.conformance.machines import output

ERRORS = "step-functions/latest/dg/concepts-error-handling.html"
CHOICE = "step-functions/latest/dg/state-choice.html"
JSONATA = "step-functions/latest/dg/transforming-data.html"
PATHS = "step-functions/latest/dg/concepts-input-output-filtering.html"
INTRINSICS = "step-functions/latest/dg/intrinsic-functions.html"


@pytest.mark.rule(CHOICE)
def test_a_choice_without_a_match_fails(machine):
    """A Choice state of which no rule matches, without a Default, fails with States.NoChoiceMatched."""
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "End"}]}
    ended = machine({"Choose": choice, "End": {"Type": "Succeed"}}, {"a": 2})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.NoChoiceMatched")


@pytest.mark.rule(CHOICE)
@pytest.mark.parametrize(
    ("rule", "given", "matches"),
    [
        ({"Variable": "$.a", "StringEquals": "x"}, {"a": "x"}, True),
        ({"Variable": "$.a", "StringMatches": "log-*.txt"}, {"a": "log-1.txt"}, True),
        ({"Variable": "$.a", "NumericGreaterThan": 1}, {"a": 1}, False),
        ({"Variable": "$.a", "NumericLessThanEqualsPath": "$.b"}, {"a": 1, "b": 1}, True),
        ({"Variable": "$.a", "IsPresent": True}, {}, False),
        ({"Variable": "$.a", "IsNull": True}, {"a": None}, True),
        ({"Variable": "$.a", "BooleanEquals": True}, {"a": True}, True),
        ({"Variable": "$.a", "TimestampLessThan": "2020-01-01T00:00:00Z"}, {"a": "2019-12-31T23:59:59Z"}, True),
        ({"Not": {"Variable": "$.a", "StringEquals": "x"}}, {"a": "y"}, True),
        ({"And": [{"Variable": "$.a", "IsNumeric": True}, {"Variable": "$.a", "NumericGreaterThan": 0}]}, {"a": 1}, True),
        ({"Or": [{"Variable": "$.a", "IsString": True}, {"Variable": "$.a", "IsBoolean": True}]}, {"a": 1}, False),
    ],
    ids=lambda value: next(iter(value.keys() - {"Variable"}), "empty") if isinstance(value, dict) and "a" not in value else "",
)
def test_choice_rules(machine, rule, given, matches):
    """A Choice state compares by its rule: strings, patterns, numbers, times, types, and their combinations."""
    states = {
        "Choose": {"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"},
        "Yes": {"Type": "Pass", "Result": True, "End": True},
        "No": {"Type": "Pass", "Result": False, "End": True},
    }
    assert output(machine(states, given)) is matches


@pytest.mark.rule(ERRORS)
def test_a_fail_state_names_error_and_cause(machine):
    """A Fail state ends the execution with its error and cause."""
    ended = machine({"Fail": {"Type": "Fail", "Error": "Mine", "Cause": "because"}})
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Mine", "because")


POISON = "def handler(event, context):\n    raise ValueError('poison')\n"


@pytest.mark.rule(ERRORS)
def test_a_caught_error_goes_on_with_its_output(clients, functions, machine):
    """A Catch goes on with a state, which gets Error and Cause at the ResultPath."""
    functions.create("poison", POISON)
    states = {
        "Task": {
            "Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:poison", "End": True,
            "Catch": [{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "Caught"}],
        },
        "Caught": {"Type": "Pass", "End": True},
    }  # fmt: skip
    made = output(machine(states, {"kept": 1}))
    assert made["kept"] == 1
    assert made["error"]["Error"] == "ValueError"
    assert json.loads(made["error"]["Cause"])["errorMessage"] == "poison"


@pytest.mark.rule(ERRORS)
def test_a_retried_task_is_tried_max_attempts_times_more(clients, functions, machine, note, seen):
    """A Retry tries a failing task MaxAttempts more times, then the error is not caught any more."""
    functions.create("poison", note + 'def handler(event, context):\n    note("tried")\n    raise ValueError("poison")\n')
    task = {
        "Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:poison", "End": True,
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 1.0}],
    }  # fmt: skip
    ended = machine({"Task": task})
    assert (ended["status"], ended["error"]) == ("FAILED", "ValueError")
    assert seen() == ["tried"] * 3


@pytest.mark.rule(ERRORS)
def test_a_task_that_takes_too_long_times_out(clients, functions, machine):
    """A task that runs longer than TimeoutSeconds fails with States.Timeout."""
    functions.create("slow", "import time\ndef handler(event, context):\n    time.sleep(10)\n", Timeout=20)
    task = {
        "Type": "Task",
        "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:slow",
        "TimeoutSeconds": 2,
        "End": True,
    }
    ended = machine({"Task": task})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Timeout")


@pytest.mark.rule("step-functions/latest/dg/state-parallel.html")
def test_a_parallel_state_joins_the_outputs(machine):
    """A Parallel state's output is an array of the outputs of its branches, in their order."""
    branches = [{"StartAt": f"P{n}", "States": {f"P{n}": {"Type": "Pass", "Result": n, "End": True}}} for n in range(3)]
    assert output(machine({"All": {"Type": "Parallel", "Branches": branches, "End": True}})) == [0, 1, 2]


@pytest.mark.rule("step-functions/latest/dg/state-parallel.html")
def test_a_failing_branch_fails_the_parallel_state(machine):
    """A branch that fails fails the Parallel state with its error."""
    branches = [
        {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}},
        {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Mine"}}},
    ]
    assert machine({"All": {"Type": "Parallel", "Branches": branches, "End": True}})["error"] == "Mine"


@pytest.mark.rule("step-functions/latest/dg/state-map-inline.html")
def test_an_inline_map_keeps_the_order(machine):
    """An inline Map's output has the output of each item, in their order."""
    processor = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    assert output(machine({"Map": {"Type": "Map", "ItemProcessor": processor, "End": True}}, [3, 1, 2])) == [3, 1, 2]


@pytest.mark.rule("step-functions/latest/dg/state-map-inline.html")
def test_a_failing_iteration_fails_the_inline_map(machine):
    """An iteration that fails fails the inline Map state."""
    processor = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 2, "Next": "F"}], "Default": "S"},
            "F": {"Type": "Fail", "Error": "Mine"},
            "S": {"Type": "Succeed"},
        },
    }
    assert machine({"Map": {"Type": "Map", "ItemProcessor": processor, "End": True}}, [1, 2, 3])["error"] == "Mine"


@pytest.mark.rule(PATHS)
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"InputPath": "$.a"}, {"b": 1}),
        ({"Parameters": {"x.$": "$.a.b", "y": 2}}, {"x": 1, "y": 2}),
        ({"Result": 5, "ResultPath": "$.r"}, {"a": {"b": 1}, "r": 5}),
        ({"Result": 5, "ResultPath": None}, {"a": {"b": 1}}),
        ({"OutputPath": "$.a.b"}, 1),
    ],
    ids=["InputPath", "Parameters", "ResultPath", "ResultPath null", "OutputPath"],
)
def test_paths(machine, state, expected):
    """InputPath, Parameters, ResultPath and OutputPath choose what a state gets and gives."""
    assert output(machine({"P": {"Type": "Pass", "End": True, **state}}, {"a": {"b": 1}})) == expected


@pytest.mark.rule(INTRINSICS)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("States.Format('{}-{}', $.a, 'x')", "1-x"),
        ("States.Array(1, $.a)", [1, 1]),
        ("States.ArrayPartition($.list, 2)", [[1, 2], [3]]),
        ("States.ArrayContains($.list, 3)", True),
        ("States.ArrayLength($.list)", 3),
        ("States.ArrayUnique($.twice)", [1, 2]),
        ("States.Base64Encode('abc')", "YWJj"),
        ("States.Base64Decode('YWJj')", "abc"),
        ("States.Hash('abc', 'SHA-256')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("States.JsonMerge($.o, $.p, false)", {"x": 1, "y": 2}),
        ("States.StringToJson($.json)", {"k": 1}),
        ("States.JsonToString($.o)", '{"x":1}'),
        ("States.MathAdd($.a, 4)", 5),
        ("States.StringSplit('a,b', ',')", ["a", "b"]),
    ],
    ids=lambda value: value.partition("(")[0] if isinstance(value, str) and value.startswith("States.") else "",
)
def test_intrinsic_functions(machine, expression, expected):
    """Intrinsic functions compute with what paths find."""
    given = {"a": 1, "list": [1, 2, 3], "twice": [1, 1, 2], "o": {"x": 1}, "p": {"y": 2}, "json": '{"k": 1}'}
    made = output(machine({"P": {"Type": "Pass", "Parameters": {"r.$": expression}, "End": True}}, given))["r"]
    if isinstance(made, str) and isinstance(expected, str) and expected.startswith("{"):
        made, expected = json.loads(made), json.loads(expected)
    assert (sorted(made) if expression.startswith("States.ArrayUnique") else made) == expected


@pytest.mark.rule(JSONATA)
def test_jsonata(machine):
    """With QueryLanguage JSONata expressions compute a state's output from its input."""
    state = {
        "Type": "Pass",
        "Output": {"sum": "{% $sum($states.input.items.price) %}", "first": "{% $states.input.items[0].name %}"},
        "End": True,
    }
    items = [{"name": "a", "price": 1.5}, {"name": "b", "price": 2}]
    assert output(machine({"P": state}, {"items": items}, QueryLanguage="JSONata")) == {"sum": 3.5, "first": "a"}


@pytest.mark.rule(JSONATA)
def test_jsonata_variables(machine):
    """Assign keeps values in variables for later states."""
    states = {
        "A": {"Type": "Pass", "Assign": {"x": "{% $states.input.a + 1 %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Output": "{% $x * 2 %}", "End": True},
    }
    assert output(machine(states, {"a": 1}, QueryLanguage="JSONata")) == 4


@pytest.mark.rule(JSONATA)
def test_jsonata_conditions(machine):
    """A Choice state of JSONata goes by the condition that is true."""
    states = {
        "C": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.a > 1 %}", "Next": "Yes"}], "Default": "No"},
        "Yes": {"Type": "Pass", "Output": "yes", "End": True},
        "No": {"Type": "Pass", "Output": "no", "End": True},
    }
    assert output(machine(states, {"a": 2}, QueryLanguage="JSONata")) == "yes"


@pytest.mark.rule(JSONATA)
def test_an_undefined_expression_fails(machine):
    """An expression that is undefined fails the state with States.QueryEvaluationError."""
    state = {"Type": "Pass", "Output": "{% $states.input.missing %}", "End": True}
    ended = machine({"P": state}, {}, QueryLanguage="JSONata")
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.rule("step-functions/latest/dg/connect-to-resource.html#connect-wait-token")
def test_a_task_token_is_waited_for(clients, machine):
    """A task with .waitForTaskToken waits until SendTaskSuccess or SendTaskFailure brings its token back."""
    url = clients("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    client = clients("stepfunctions")
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}},
    }  # fmt: skip
    definition = {"StartAt": "T", "States": {"T": task}}
    arn = client.create_state_machine(
        name="waiting", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{clients.account}:role/machine"
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    message = clients("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    client.send_task_success(taskToken=json.loads(message["Body"])["token"], output='{"ok": true}')
    described = wait_until(
        lambda: (d := client.describe_execution(executionArn=execution))["status"] != "RUNNING" and d, "the execution to end"
    )
    assert json.loads(described["output"]) == {"ok": True}


@pytest.mark.rule("step-functions/latest/apireference/API_SendTaskSuccess.html")
def test_the_first_answer_closes_a_task_and_every_later_one_is_too_late(clients):
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat of a task that has been answered are TaskTimedOut, though its execution runs."""
    url = clients("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    client = clients("stepfunctions")
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Next": "W",
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}},
    }  # fmt: skip
    definition = {"StartAt": "T", "States": {"T": task, "W": {"Type": "Wait", "Seconds": 4, "End": True}}}
    arn = client.create_state_machine(
        name="answered", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{clients.account}:role/machine"
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    message = clients("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]
    token = json.loads(message["Body"])["token"]
    client.send_task_heartbeat(taskToken=token)
    client.send_task_success(taskToken=token, output='{"first": true}')
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_failure(taskToken=token, error="Later")
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_heartbeat(taskToken=token)
    described = wait_until(
        lambda: (d := client.describe_execution(executionArn=execution))["status"] != "RUNNING" and d, "the execution to end"
    )
    assert json.loads(described["output"]) == {"first": True}


@pytest.mark.rule("step-functions/latest/dg/connect-to-resource.html#connect-wait-token")
def test_a_retry_waits_for_a_token_of_its_own(clients, functions, note, seen):
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
    described = wait_until(
        lambda: (d := client.describe_execution(executionArn=execution))["status"] != "RUNNING" and d, "the execution to end"
    )
    assert json.loads(described["output"]) == "second"


@pytest.mark.rule("step-functions/latest/dg/connect-to-resource.html#connect-wait-token")
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
def test_the_answer_to_a_task_that_has_timed_out_is_too_late(clients, after):
    """SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat are TaskTimedOut, whether the execution goes on or has ended."""
    url = clients("sqs").create_queue(QueueName="tokens")["QueueUrl"]
    client = clients("stepfunctions")
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True, "TimeoutSeconds": 1,
        "Parameters": {"QueueUrl": url, "MessageBody": {"token.$": "$$.Task.Token"}},
        "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "After"}],
    }  # fmt: skip
    arn = client.create_state_machine(
        name="late",
        definition=json.dumps({"StartAt": "T", "States": {"T": task, "After": after}}),
        roleArn=f"arn:aws:iam::{clients.account}:role/machine",
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    token = json.loads(clients("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"][0]["Body"])["token"]

    def is_after():
        history = client.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        entered = any(event.get("stateEnteredEventDetails", {}).get("name") == "After" for event in history)
        return entered and (after["Type"] == "Wait" or client.describe_execution(executionArn=execution)["status"] != "RUNNING")

    wait_until(is_after, "the execution to leave the task")
    for send in (
        lambda: client.send_task_success(taskToken=token, output="1"),
        lambda: client.send_task_failure(taskToken=token, error="Later"),
        lambda: client.send_task_heartbeat(taskToken=token),
    ):
        with pytest.raises(client.exceptions.TaskTimedOut):
            send()


@pytest.mark.rule("step-functions/latest/apireference/API_StartExecution.html")
def test_an_execution_name_is_used_once(clients):
    """StartExecution with a name that was used with another input answers ExecutionAlreadyExists."""
    client = clients("stepfunctions")
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    arn = client.create_state_machine(
        name="named", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{clients.account}:role/machine"
    )["stateMachineArn"]
    client.start_execution(stateMachineArn=arn, name="mine", input="{}")
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=arn, name="mine", input='{"a": 1}')


@pytest.mark.rule("step-functions/latest/dg/service-quotas.html")
def test_a_state_passes_at_most_256_kib(machine):
    """A state whose output exceeds 256 KiB fails with States.DataLimitExceeded."""
    state = {"Type": "Pass", "Parameters": {"a.$": "States.Format('{}{}', $.text, $.text)"}, "End": True}
    ended = machine({"P": state}, {"text": "x" * 140_000})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


@pytest.mark.rule("step-functions/latest/dg/concepts-state-machine-alias.html")
def test_an_alias_runs_the_version_that_it_routes_to(clients, machine):
    """An execution that an alias starts runs its version, whatever the state machine has become, and names both."""
    client = clients("stepfunctions")
    definitions = [{"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": n, "End": True}}} for n in (1, 2)]
    role = f"arn:aws:iam::{clients.account}:role/machine"
    arn = client.create_state_machine(name="versioned", definition=json.dumps(definitions[0]), roleArn=role)["stateMachineArn"]
    version = client.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = client.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(definitions[1]))
    started = [client.start_execution(stateMachineArn=which)["executionArn"] for which in (alias, version, arn)]
    ended = [machine.ended(execution) for execution in started]
    assert [output(one) for one in ended] == [1, 1, 2]
    assert (ended[0]["stateMachineAliasArn"], ended[0]["stateMachineVersionArn"]) == (alias, version)
