"""JSON lists: every element is found as it stands, and is a record or told to be none."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import items, transforms

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.builds(
    lambda rest, given: {**rest, **given},
    st.dictionaries(TEXTS, VALUES, max_size=3),
    st.fixed_dictionaries({}, optional={"id": TEXTS | VALUES, "value": st.integers() | VALUES}),
)
LISTS = st.lists(RECORDS | VALUES, min_size=1, max_size=8)


@given(LISTS, st.booleans(), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_the_elements_are_those_that_the_parser_finds_and_stand_in_the_file_as_they_are_told(values, wrapped, indent, ascii_only):
    document = {"a": [1, {"records": []}], "records": values, "z": "]"} if wrapped else values
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    found = list(transforms.elements(text.encode()))
    assert [json.loads(raw) for _, raw in found] == values
    assert [number for number, _ in found] == list(range(len(values)))
    at = 0
    for _, raw in found:
        at = text.index(raw, at) + len(raw)


@given(LISTS)
def test_every_element_is_a_record_that_can_be_stored_or_a_failed_one_and_never_both(values):
    text = json.dumps(values)
    good, bad = transforms.validate(transforms.elements(text.encode()))
    assert sorted([record.position for record in good] + [row.line for row in bad]) == list(range(len(values)))
    assert len({transforms.key(record) for record in good}) == len(good)
    for record in good:
        item = items.item(record, "u")
        json.dumps(item, ensure_ascii=False).encode()
        assert item["line"] == {"N": str(record.position)}
        assert set(values[record.position]) <= set(item)
