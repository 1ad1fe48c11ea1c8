"""Step Functions: the names of errors, and which of them a Catch sees."""

from __future__ import annotations

import pytest

from tests.conformance.machines import output

ERRORS = "step-functions/latest/dg/concepts-error-handling.html"
IDENTITY = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sts:getCallerIdentity"}
NOTHING = {"Parameters": {"x.$": "$.nothing"}}
MAP = {"Type": "Map", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}}


@pytest.fixture
def caught(machine):
    """Called with a state, it returns the first of these names whose Catch sees its error, or the name under which the execution fails."""

    def run(state, given, *names):
        catchers = [{"ErrorEquals": [name], "Next": name, "ResultPath": None} for name in names]
        ends = {name: {"Type": "Pass", "Result": name, "End": True} for name in names}
        ended = machine({"S": {**state, "Catch": catchers, "End": True}, **ends}, given)
        return output(ended) if ended["status"] == "SUCCEEDED" else ended["error"]

    return run


@pytest.fixture
def waiting(clients):
    """A task that waits for its token, and whose worker is never heard of."""
    queue = clients("sqs").create_queue(QueueName="work")["QueueUrl"]
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody": {"token.$": "$$.Task.Token"}},
        "HeartbeatSeconds": 1,
        "TimeoutSeconds": 60,
    }


@pytest.mark.rule(ERRORS)
@pytest.mark.parametrize("name", ["States.HeartbeatTimeout", "States.Timeout"])
def test_a_heartbeat_that_stays_away_is_caught_by_both_of_its_names(caught, waiting, name):
    """States.HeartbeatTimeout: a task failed to send a heartbeat for longer than HeartbeatSeconds. States.Timeout reports this, too."""
    assert caught(waiting, {}, name) == name


@pytest.mark.rule(ERRORS)
def test_task_failed_does_not_catch_a_timeout(caught, waiting):
    """States.TaskFailed matches any known error but States.Timeout."""
    assert caught(waiting, {}, "States.TaskFailed") == "States.Timeout"


@pytest.mark.rule(ERRORS)
@pytest.mark.parametrize(
    ("state", "name"),
    [
        ({**IDENTITY, **NOTHING}, "States.ParameterPathFailure"),
        ({"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", **NOTHING}, "States.ParameterPathFailure"),
        ({"Type": "Task", "Resource": "arn:aws:states:::apigateway:invoke", **NOTHING}, "States.ParameterPathFailure"),
        ({**MAP, "ItemsPath": "$.items", "ItemSelector": {"x.$": "$.nothing"}}, "States.ParameterPathFailure"),
        ({**IDENTITY, "Parameters": {"x.$": "States.ArrayGetItem(States.Array(1), 5)"}}, "States.IntrinsicFailure"),
        ({**IDENTITY, "Parameters": {"x.$": "States.StringToJson($.text)"}}, "States.IntrinsicFailure"),
        ({**IDENTITY, "ResultPath": "$.text.more"}, "States.ResultPathMatchFailure"),
    ],
)
def test_what_cannot_be_evaluated_is_caught_by_its_name(caught, state, name):
    """States.ParameterPathFailure, States.IntrinsicFailure and States.ResultPathMatchFailure are names that a Catch may have."""
    assert caught(state, {"items": [1], "text": "no object"}, name) == name


@pytest.mark.rule(ERRORS)
@pytest.mark.parametrize("name", ["States.ALL", "States.TaskFailed"])
def test_an_error_at_runtime_is_not_caught_by_a_wildcard(caught, name):
    """States.ALL does not catch errors at runtime, such as a path that finds nothing."""
    assert caught({**IDENTITY, **NOTHING}, {}, name) == "States.Runtime"


@pytest.mark.rule(ERRORS)
@pytest.mark.parametrize("name", ["States.ALL", "States.TaskFailed"])
def test_too_much_data_is_not_caught_by_a_wildcard(caught, clients, functions, name):
    """States.ALL does not catch States.DataLimitExceeded."""
    functions.create("large", "def handler(event, context):\n    return 'x' * 300_000\n")
    task = {"Type": "Task", "Resource": f"arn:aws:lambda:us-east-1:{clients.account}:function:large"}
    assert caught(task, {}, name) == "States.DataLimitExceeded"


@pytest.mark.rule(ERRORS)
@pytest.mark.parametrize("kind", ["Map", "Parallel"])
def test_an_error_within_is_the_error_of_the_state(caught, waiting, kind):
    """A Map or Parallel state fails with the error of its iteration or branch, also with one of AWS's own."""
    within = {"StartAt": "W", "States": {"W": {**waiting, "End": True}}}
    state = {"Type": kind, **({"ItemsPath": "$.items", "ItemProcessor": within} if kind == "Map" else {"Branches": [within]})}
    assert caught(state, {"items": [1]}, "States.Timeout") == "States.Timeout"


@pytest.mark.rule("step-functions/latest/dg/state-fail.html")
@pytest.mark.parametrize("error", [{"Error": "States.Timeout"}, {"ErrorPath": "$.error"}])
def test_a_fail_state_goes_on_with_an_error(machine, error):
    """A Fail state ends the execution with the error that it names, also where this is one of AWS's own, as a Catch has found it."""
    ended = machine({"F": {"Type": "Fail", **error, "Cause": "as told"}}, {"error": "States.Timeout"})
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "States.Timeout", "as told")


@pytest.mark.rule(ERRORS)
def test_task_failed_catches_the_error_of_a_service(caught):
    """States.TaskFailed matches any known error but States.Timeout."""
    task = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sqs:getQueueUrl", "Parameters": {"QueueName": "none"}}
    assert caught(task, {}, "States.TaskFailed") == "States.TaskFailed"


@pytest.mark.rule("step-functions/latest/dg/input-output-resultpath.html")
def test_a_result_without_a_place_in_the_input_fails(machine):
    """ResultPath puts the result into the input: where this cannot take it, the state fails, and no result is dropped."""
    ended = machine({"P": {"Type": "Pass", "Result": 1, "ResultPath": "$.a", "End": True}}, "text")
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ResultPathMatchFailure")


@pytest.mark.rule("step-functions/latest/dg/amazon-states-language-choice-state.html")
@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("log-*.txt", "log-1.txt", True),
        ("a\\*", "a*", True),
        ("a\\*", "abc", False),
        ("a\\\\*", "a\\b", True),
        ("[ab]", "a", False),
        ("a?", "ab", False),
        ("é*", "éa", True),
    ],
)
def test_string_matches(machine, pattern, text, matches):
    """StringMatches knows one wildcard, `*`, which a backslash escapes."""
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.text", "StringMatches": pattern, "Next": "Yes"}], "Default": "No"}
    ends = {name: {"Type": "Pass", "Result": name == "Yes", "End": True} for name in ("Yes", "No")}
    assert output(machine({"C": choice, **ends}, {"text": text})) is matches


@pytest.mark.rule("step-functions/latest/dg/intrinsic-functions.html#intrinsic-functions-reserved-character")
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (r"States.Format('it\'s \{\} \\ {}', $.a)", "it's {} \\ A"),
        ("States.Format('{} {} {} {}', null, true, 1.5, -2)", "null true 1.5 -2"),
        (r"""States.StringToJson(States.Format('\{"id":"{}"\}', $.a))""", {"id": "A"}),
        ("States.ArrayGetItem(States.Array('a,b)', $.a), 0)", "a,b)"),
        ("States.Format('é{}', $['a'])", "éA"),
        (r"States.Array('it\'s', '\{\}')", ["it's", "{}"]),
    ],
)
def test_the_arguments_of_intrinsic_functions(machine, expression, expected):
    """Arguments are texts, numbers, null, true and false, paths and functions. A backslash escapes a quotation mark, a brace and itself."""
    assert output(machine({"P": {"Type": "Pass", "Parameters": {"x.$": expression}, "End": True}}, {"a": "A"})) == {"x": expected}


@pytest.mark.rule("step-functions/latest/dg/intrinsic-functions.html")
@pytest.mark.parametrize("expression", ["States.Format('{} {}', 1)", "States.Format('{}', 1, 2)"])
def test_a_template_has_as_many_places_as_values(machine, expression):
    """States.Format fails where its values are not as many as the places of its template."""
    assert machine({"P": {"Type": "Pass", "Parameters": {"x.$": expression}, "End": True}})["status"] == "FAILED"


@pytest.mark.rule("step-functions/latest/dg/concepts-amazon-states-language.html")
def test_texts_of_a_definition_are_json(machine):
    """A definition is JSON: what is escaped in it is the character."""
    name = "größe \U0001f600"
    told = {"Type": "Pass", "Parameters": {"name.$": "$$.State.Name"}, "End": True}
    assert output(machine({"A": {"Type": "Pass", "Next": name}, name: told})) == {"name": name}
    ended = machine({"F": {"Type": "Fail", "Error": 'a "b"', "Cause": name}})
    assert (ended["error"], ended["cause"]) == ('a "b"', name)
