"""Conditions of event patterns and filter policies never raise, whatever the value is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inside.events.conditions import matches, of_attribute

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
TEXT = st.text(max_size=3)
CONDITIONS = (
    SCALARS
    | st.builds(
        lambda name, text: {name: text}, st.sampled_from(["prefix", "suffix", "equals-ignore-case", "wildcard", "cidr"]), TEXT
    )
    | st.builds(lambda name, text: {name: {"equals-ignore-case": text}}, st.sampled_from(["prefix", "suffix"]), TEXT)
    | st.builds(lambda one: {"anything-but": one}, SCALARS | st.lists(SCALARS) | st.builds(lambda text: {"prefix": text}, TEXT))
    | st.builds(lambda name, number: {"numeric": [name, number]}, st.sampled_from(["=", "<", ">="]), st.integers())
)


@given(SCALARS, CONDITIONS)
def test_any_condition_can_be_asked_of_any_value(value, condition):
    assert matches(value, condition, field_exists=True) in {True, False}
    assert matches(None, condition, field_exists=False) is False


@given(SCALARS)
def test_a_value_is_itself_or_something_else(value):
    assert matches(value, value, field_exists=True)
    assert not matches(value, {"anything-but": [value]}, field_exists=True)
    assert matches(value, {"exists": True}, field_exists=True)
    assert not matches(value, {"exists": False}, field_exists=True)


@pytest.mark.parametrize(
    ("value", "condition", "expected"),
    [
        (True, 1, False),
        (1.0, 1, True),
        (5, {"prefix": "5"}, False),
        (5, {"anything-but": {"prefix": "5"}}, True),
        ("abc", {"anything-but": {"suffix": ["x", "c"]}}, False),
        ("ABC", {"prefix": {"equals-ignore-case": "ab"}}, True),
        ("a/b.png", {"wildcard": "a/*.png"}, True),
        ("ab", {"wildcard": "a*b"}, True),
        ("10.0.0.1", {"cidr": "10.0.0.0/8"}, True),
        ("here", {"cidr": "10.0.0.0/8"}, False),
        (True, {"numeric": ["=", 1]}, False),
    ],
)
def test_conditions(value, condition, expected):
    assert matches(value, condition, field_exists=True) is expected


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ({"DataType": "Number", "StringValue": "1.5"}, [1.5]),
        ({"Type": "String", "Value": "1.5"}, ["1.5"]),
        ({"DataType": "String.Array", "StringValue": '["a", 1]'}, ["a", 1]),
        ({"DataType": "String.Array", "StringValue": "["}, []),
        ({"DataType": "Binary", "BinaryValue": b"x"}, [None]),
    ],
)
def test_the_values_of_an_attribute(attribute, values):
    assert of_attribute(attribute) == values
