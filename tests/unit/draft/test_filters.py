"""Fields that a filter lets through: drawn from them, every record matches the pattern."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from localstack.services.events.event_rule_engine import EventRuleEngine

from harness.draft.filters import fields_of_pattern, merged, patterns_of
from harness.draft.graph import Entry
from harness.parts.ports import SourceContext
from harness.parts.sources.synthetic import Synthetic
from tests.loads import flat

SIGNS = st.sampled_from(["<", "<=", ">", ">="])
LEAVES = st.one_of(
    st.lists(st.sampled_from(["new", "old", 5, True]), min_size=1, max_size=3),
    st.sampled_from(["ab", "x-", "Message#"]).flatmap(
        lambda text: st.sampled_from([[{"prefix": text}], [{"suffix": text}], [{"equals-ignore-case": text}], [{"exists": True}]])
    ),
    st.integers(-50, 50).map(lambda number: [{"numeric": ["=", number]}]),
    st.tuples(SIGNS, st.integers(-50, 50)).map(lambda one: [{"numeric": list(one)}]),
    st.tuples(st.integers(-50, 0), st.integers(1, 50)).map(lambda one: [{"numeric": [">", one[0], "<=", one[1]]}]),
    st.just([{"anything-but": ["nothing like this"]}]),
)
PATTERNS = st.recursive(
    st.dictionaries(st.sampled_from(["kind", "size", "owner"]), LEAVES, min_size=1),
    lambda inner: st.dictionaries(st.sampled_from(["place", "who"]), inner, min_size=1),
    max_leaves=4,
)


@given(PATTERNS)
def test_what_is_drawn_from_the_fields_of_a_pattern_matches_it(pattern):
    fields = fields_of_pattern(pattern)
    assume(fields)
    source = Synthetic.model_validate(
        {"kind": "synthetic", "records": 20, "id": "id", "fields": {"id": {"type": "uuid"}, **fields}, "vary": False}
    )
    for record in flat(source.open(SourceContext(1))):
        assert EventRuleEngine().evaluate_pattern_on_event(pattern, record.payload.decode())


@pytest.mark.parametrize(
    ("kind", "settings", "found"),
    [
        ("eventbridge", {"Pattern": {"source": ["shop"], "detail": {"kind": ["new"]}}}, [{"kind": ["new"]}]),
        ("sqs", {"FilterCriteria": {"Filters": [{"Pattern": '{"body": {"kind": ["new"]}}'}]}}, [{"kind": ["new"]}]),
        ("kinesis", {"FilterCriteria": {"Filters": [{"Pattern": {"Fn::Sub": '{"data": {"kind": ["${Kind}"]}}'}}]}}, [{"kind": ["new"]}]),
        ("sns", {"FilterPolicyScope": "MessageBody", "FilterPolicy": {"kind": ["new"]}}, [{"kind": ["new"]}]),
        ("dynamodb", {"FilterCriteria": {"Filters": [{"Pattern": json.dumps({"eventName": ["INSERT"], "dynamodb": {"NewImage": {
            "kind": {"S": ["new"]}, "n": {"N": ["300"]}, "m": {"M": {"ok": {"BOOL": [True]}}}}}})}]}}, [{"kind": ["new"], "n": [300.0], "m": {"ok": [True]}}]),
        # These filters ask nothing of the record, or are no filters.
        ("dynamodb", {"FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]}}, []),
        ("sns", {"FilterPolicy": {"kind": ["new"]}}, []),
        ("sqs", {"FilterCriteria": {"Filters": [{"Pattern": "{"}, {"Pattern": "[]"}, {"Pattern": '{"dynamodb": 5, "body": "x"}'}, "x", {}]}}, []),
    ],
)  # fmt: skip
def test_a_filter_is_found_where_each_kind_of_entry_has_it(kind, settings, found):
    assert list(patterns_of(Entry(kind, "From", "To", settings), {"Kind": "new"})) == found


def test_fields_of_the_code_stay_but_for_those_that_the_filter_asks_for():
    fields = {"id": {"type": "uuid"}, "place": {"type": "nested", "fields": {"a": {"type": "uuid"}, "b": {"type": "uuid"}}}}
    asked = {
        "place": {"type": "nested", "fields": {"b": {"type": "choice", "of": ["x"]}}},
        "kind": {"type": "choice", "of": ["new"]},
    }
    assert merged(fields, asked) == {
        "id": {"type": "uuid"},
        "place": {"type": "nested", "fields": {"a": {"type": "uuid"}, "b": {"type": "choice", "of": ["x"]}}},
        "kind": {"type": "choice", "of": ["new"]},
    }


def test_an_impossible_or_absent_field_is_left_out_and_of_alternatives_the_first_is_taken():
    assert fields_of_pattern({"a": [{"exists": False}], "b": [{"numeric": [">", 5, "<", 6]}], "no name!": ["x"]}) == {}
    assert fields_of_pattern({"$or": [{"a": ["x"]}, {"b": ["y"]}]}) == {"a": {"type": "choice", "of": ["x"]}}
