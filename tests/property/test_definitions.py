"""A definition may be anything: what is wrong with it is told, and nothing is raised."""

from __future__ import annotations

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from harness.inside.stepfunctions.validation import problems

_FIELDS = st.sampled_from([
    "Type", "Next", "End", "Default", "Choices", "Catch", "Retry", "ErrorEquals", "Branches", "ItemProcessor", "Iterator", "States", "StartAt", "Resource",
    "TimeoutSeconds", "HeartbeatSeconds", "Seconds", "QueryLanguage", "And", "IntervalSeconds", "BackoffRate", "Output",
])  # fmt: skip
_VALUES = st.sampled_from(
    [
        "A",
        "B",
        "Task",
        "Pass",
        "Choice",
        "Map",
        "Parallel",
        "Wait",
        "Fail",
        "States.ALL",
        "arn:x",
        "{% 1 + %}",
        "{% $x %}",
        "JSONata",
        0,
        1,
        1.5,
        True,
        False,
        None,
    ]
)
_ANY = st.recursive(
    _VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_FIELDS | st.sampled_from(["A", "B"]), inner, max_size=5)
)


@given(st.dictionaries(_FIELDS | st.sampled_from(["A", "B"]), _ANY, max_size=6), _ANY)
def test_whatever_a_definition_is_its_problems_are_told(machine, states):
    found = problems(json.dumps({**machine, "States": states}))
    assert all(one.code and one.message and str(one) for one in found)


@given(st.lists(st.sampled_from("ABCD"), min_size=1, max_size=4, unique=True), st.data())
def test_a_chain_of_states_has_no_problem_and_without_one_of_them_it_has(names, data):
    states = {name: {"Type": "Pass", "Next": following} for name, following in itertools.pairwise(names)}
    states[names[-1]] = {"Type": "Pass", "End": True}
    assert problems(json.dumps({"StartAt": names[0], "States": states})) == []
    del states[data.draw(st.sampled_from(names))]
    assert problems(json.dumps({"StartAt": names[0], "States": states})) != []
