"""Properties of resources as the types of their schema."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.inside.cloudformation.typed import typed

SCHEMA = {
    "properties": {
        "Number": {"type": "number"}, "Count": {"type": "integer"}, "On": {"type": "boolean"}, "Text": {"type": "string"},
        "Either": {"type": ["string", "integer"]}, "Many": {"type": "array", "items": {"$ref": "#/definitions/One"}}, "Free": {"type": "object"},
    },
    "definitions": {"One": {"type": "object", "properties": {"Count": {"type": "integer"}}}},
}  # fmt: skip


def test_texts_are_made_what_the_schema_says():
    given_ = {
        "Number": "1.5", "Count": "3", "On": "True", "Text": "3", "Either": "3",
        "Many": [{"Count": "7"}, {"Count": 8}], "Free": {"Count": "9"}, "Unknown": "3",
    }  # fmt: skip
    assert typed(given_, SCHEMA, SCHEMA) == {
        "Number": 1.5, "Count": 3, "On": True, "Text": "3", "Either": "3",
        "Many": [{"Count": 7}, {"Count": 8}], "Free": {"Count": "9"}, "Unknown": "3",
    }  # fmt: skip
    assert repr(typed({"Number": "5"}, SCHEMA, SCHEMA)) == "{'Number': 5}"
    assert typed({"Count": "many", "On": "1"}, SCHEMA, SCHEMA) == {"Count": "many", "On": "1"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SCHEMA["properties"], "Unknown"]), inner),
)


@given(JSON)
def test_what_is_typed_is_typed_already(value):
    once = typed(value, SCHEMA, SCHEMA)
    assert typed(once, SCHEMA, SCHEMA) == once
    assert typed(value, {}, {}) == value
