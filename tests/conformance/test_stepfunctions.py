"""Step Functions: states, errors, data flow."""

from __future__ import annotations

import json

import pytest

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
