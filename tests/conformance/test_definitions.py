"""Step Functions: definitions that are refused."""

from __future__ import annotations

import json

import pytest

PAGE = "step-functions/latest/dg/concepts-amazon-states-language.html"
VALIDATE = "step-functions/latest/apireference/API_ValidateStateMachineDefinition.html"
ERRORS = "step-functions/latest/dg/concepts-error-handling.html"
CHOICE = "step-functions/latest/dg/state-choice.html"
TASK = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {}, "End": True}
PASS = {"Type": "Pass", "End": True}
INNER = {"StartAt": "I", "States": {"I": PASS}}


@pytest.fixture
def found(clients):
    """The codes of what is wrong with a machine, of which the API says the same when it is asked and when one is created or updated."""
    machines = clients("stepfunctions")
    role = f"arn:aws:iam::{clients.account}:role/machine"

    def look(states, start="A", **more):
        definition = json.dumps({"StartAt": start, "States": states, **more})
        told = machines.validate_state_machine_definition(definition=definition)
        if told["result"] == "FAIL":
            with pytest.raises(machines.exceptions.InvalidDefinition):
                machines.create_state_machine(name="refused", definition=definition, roleArn=role)
        else:
            arn = machines.create_state_machine(name="taken", definition=definition, roleArn=role)["stateMachineArn"]
            machines.update_state_machine(stateMachineArn=arn, definition=definition)
        return [one["code"] for one in told["diagnostics"]]

    return look


@pytest.mark.rule(PAGE)
@pytest.mark.parametrize(
    "states",
    [
        {"A": {"Type": "Pass", "Next": "None"}},
        {"A": PASS, "B": PASS},
        {"A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "None"}], "Default": "B"}, "B": PASS},
        {"A": {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}], "Default": "None"}, "B": PASS},
        {"A": {**TASK, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "None"}]}},
        {"A": {"Type": "Map", "ItemProcessor": {"StartAt": "None", "States": {"I": PASS}}, "End": True}},
        {"A": {"Type": "Parallel", "Branches": [{"StartAt": "I", "States": {"I": {"Type": "Pass", "Next": "A"}}}], "End": True}},
    ],
    ids=["Next", "not reached", "Choice", "Default", "Catch", "StartAt", "out of a branch"],
)
def test_a_transition_leads_to_a_state(found, states):
    """Next, Default, Catch and StartAt name states of the same machine, and each state is reached by one of them."""
    assert "MISSING_TRANSITION_TARGET" in found(states)


@pytest.mark.rule(PAGE)
def test_a_machine_can_end(found):
    """A machine has a terminal state, which one of its states leads to."""
    states = {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}
    assert found(states) == ["MISSING_END_STATE"]
    assert found({**states, "C": PASS}) == ["MISSING_TRANSITION_TARGET"]


@pytest.mark.rule(PAGE)
def test_names_of_states_are_unique(found):
    """A state's name is unique within the whole state machine, with all that it has inside."""
    assert found({"A": {"Type": "Map", "ItemProcessor": {"StartAt": "A", "States": {"A": PASS}}, "End": True}}) == [
        "DUPLICATE_STATE_NAME"
    ]


@pytest.mark.rule(PAGE)
@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Pass"},
        {"Type": "Pass", "Next": "A", "End": True},
        {"Type": "Task", "End": True},
        {**TASK, "Resource": "sqs"},
        {**TASK, "TimeoutSeconds": 5, "HeartbeatSeconds": 5},
        {**TASK, "TimeoutSeconds": 0},
        {"Type": "Wait", "End": True},
        {"Type": "Wait", "Seconds": 1, "SecondsPath": "$.s", "End": True},
        {"Type": "Map", "End": True},
        {"Type": "Parallel", "Branches": [], "End": True},
        {"Type": "Succeed", "End": True},
        {"Type": "Pass", "Retry": [{"ErrorEquals": ["States.ALL"]}], "End": True},
        {"Type": "Nothing", "End": True},
        {**PASS, "TimeoutSeconds": 5},
        {"Type": "Parallel", "Branches": [INNER], "TimeoutSeconds": 5, "End": True},
    ],
    ids=[
        "neither Next nor End", "Next and End", "no Resource", "no ARN", "heartbeat", "time-out", "no time", "two times", "no processor", "no branch",
        "an end", "no retry", "no type", "time-out of a Pass", "time-out of a Parallel",
    ],
)  # fmt: skip
def test_fields_of_a_state(found, state):
    """Each type of state has fields that it needs, and others that it may not have."""
    assert "SCHEMA_VALIDATION_FAILED" in found({"A": state})


@pytest.mark.rule(ERRORS)
@pytest.mark.parametrize(
    "rules",
    [
        {"Retry": [{"ErrorEquals": ["States.ALL", "E"]}]},
        {"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}]},
        {"Retry": [{"ErrorEquals": []}]},
        {"Retry": [{"ErrorEquals": ["E"], "BackoffRate": 0.5}]},
        {"Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 0}]},
        {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "B"}, {"ErrorEquals": ["E"], "Next": "B"}]},
    ],
    ids=["not alone", "not last", "no error", "rate", "interval", "a catch not last"],
)
def test_rules_for_errors(found, rules):
    """States.ALL stands alone and last; a retry's interval is at least a second and its rate at least 1."""
    states = {"A": {**TASK, **rules}, **({"B": PASS} if "Catch" in rules else {})}
    assert "SCHEMA_VALIDATION_FAILED" in found(states)


@pytest.mark.rule(CHOICE)
@pytest.mark.parametrize(
    "choice",
    [{}, {"Choices": []}, {"Choices": [{"Variable": "$.a", "IsNull": True}]}, {"Choices": [{"Variable": "$.a", "IsNull": True, "Next": "B"}], "End": True}],
    ids=["no choices", "empty", "no Next", "an End"],
)  # fmt: skip
def test_rules_of_a_choice(found, choice):
    """A Choice state has at least one rule, and each rule has a Next. The state itself has no End."""
    assert found({"A": {"Type": "Choice", "Default": "B", **choice}, "B": PASS}) != []


@pytest.mark.rule("step-functions/latest/dg/transforming-data.html")
@pytest.mark.parametrize(
    ("states", "language"),
    [
        ({"A": {**PASS, "Output": "{% 1 + %}"}}, "JSONata"),
        ({"A": {**PASS, "Assign": {"x": {"y": ["{% $match( %}"]}}}}, "JSONata"),
        ({"A": {**PASS, "QueryLanguage": "JSONPath"}}, "JSONata"),
        ({"A": {"Type": "Map", "ItemProcessor": {**INNER, "QueryLanguage": "JSONata"}, "End": True}}, "JSONPath"),
    ],
    ids=["no expression", "no expression inside", "JSONPath in JSONata", "of a processor"],
)
def test_expressions_and_languages(found, states, language):
    """Step Functions parses each JSONata expression. A state of a JSONata machine cannot be of JSONPath, and a processor cannot name a query language."""
    assert found(states, QueryLanguage=language) == ["SCHEMA_VALIDATION_FAILED"]


@pytest.mark.rule("step-functions/latest/dg/transforming-data.html")
@pytest.mark.parametrize(
    ("language", "field"),
    [("JSONata", {"InputPath": "$.a"}), ("JSONata", {"ResultPath": "$.a"}), ("JSONPath", {"Output": "{% 1 %}"})],
)
def test_fields_of_the_other_query_language(found, language, field):
    """A state of JSONata has no paths, and one of JSONPath no Output."""
    assert found({"A": {**PASS, **field}}, QueryLanguage=language) != []


@pytest.mark.rule(VALIDATE)
def test_a_definition_that_is_well_formed(found):
    """Nothing is wrong with each type of state as it should be."""
    states = {
        "A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {}, "Next": "B", "Retry": [{"ErrorEquals": ["E"]}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "F"}]},
        "B": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$.a", "IsNull": True}, {"Variable": "$.b", "IsNull": True}], "Next": "C"}], "Default": "D"},
        "C": {"Type": "Parallel", "Branches": [INNER], "Next": "D"},
        "D": {"Type": "Map", "ItemProcessor": {"StartAt": "J", "States": {"J": PASS}}, "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 1, "Next": "S"},
        "S": {"Type": "Succeed"},
        "F": {"Type": "Fail", "Error": "E"},
    }  # fmt: skip
    assert found(states) == []


@pytest.mark.rule(VALIDATE)
def test_a_diagnostic_says_where(clients):
    """A diagnostic has a severity, a code, a message and the location of the problem; no more come than maxResults."""
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "X"}, "B": PASS}})
    told = clients("stepfunctions").validate_state_machine_definition(definition=definition, maxResults=1)
    assert told["truncated"] is True
    (one,) = told["diagnostics"]
    assert (one["severity"], one["code"], one["location"]) == ("ERROR", "MISSING_TRANSITION_TARGET", "/States/A/Next")
    assert "X" in one["message"]
