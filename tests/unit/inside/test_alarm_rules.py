"""Rules of composite alarms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inside.cloudwatch.alarm_rules import alarms_of, is_true

STATES = {"a": "ALARM", "o": "OK", "i": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ALARM(a)", True),
        ('ALARM("a")', True),
        ("ALARM( o ) OR ALARM(a)", True),
        ("ALARM(a) AND ALARM(o)", False),
        ("ALARM(a) AND NOT ALARM(o)", True),
        ("OK(o) AND INSUFFICIENT_DATA(i)", True),
        ("FALSE AND FALSE OR TRUE", True),
        ("FALSE AND (FALSE OR TRUE)", False),
        ("NOT (TRUE AND FALSE)", True),
    ],
)
def test_a_rule_holds_or_not(rule, expected):
    assert is_true(rule, STATES.__getitem__) is expected


@pytest.mark.parametrize("rule", ["", "ALARM(", "ALARM(a) OR", "(ALARM(a)", "ALARM(a) ALARM(o)", "a", "TRUE)", "NOT", "ALARM(a);"])
def test_what_is_no_rule_is_told(rule):
    with pytest.raises(ValueError, match="alarm rule"):
        is_true(rule, STATES.__getitem__)


def test_the_alarms_of_a_rule():
    assert alarms_of('ALARM("arn:aws:cloudwatch:us-east-1:1:alarm:a b") AND NOT OK(o)') == [
        "arn:aws:cloudwatch:us-east-1:1:alarm:a b",
        "o",
    ]


expressions = st.recursive(
    st.sampled_from(["TRUE", "FALSE"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map("".join),
        inner.map("({})".format),
        inner.map("NOT ({})".format),
    ),
    max_leaves=8,
)


@given(expressions)
def test_and_binds_more_than_or_as_in_python(rule):
    assert is_true(rule, STATES.__getitem__) is eval(
        rule.replace("TRUE", "True").replace("FALSE", "False").replace("AND", "and").replace("OR", "or").replace("NOT", "not")
    )
