"""Promises are kept to the letter of JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import to_json

from harness.accounting.contents import broken_promise

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=6,
)
documents = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), values, max_size=4)


def encoded(document):
    return json.dumps(document).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("promised", "stored", "why"),
    [
        ({"a": 1}, {"a": 1, "more": True}, None),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, None),
        ({"a": 1}, {}, "missing: a"),
        ({"a": 1}, {"a": "1"}, 'a: promised 1, found "1"'),
        ({"a": 1}, {"a": True}, "a: promised 1, found true"),
        ({"a": 1}, {"a": 1.0}, "a: promised 1, found 1.0"),
        ({"a": [1, 2]}, {"a": [2, 1]}, "a: promised [1,2], found [2,1]"),
        ({"a": {"b": None}}, {"a": {}}, 'a: promised {"b":null}, found {}'),
        ({"a": 10**25}, {"a": 10**25 + 1}, f"a: promised {10**25}, found {10**25 + 1}"),
        ({"a": "ü"}, {"a": "u"}, 'a: promised "ü", found "u"'),
    ],
)
def test_what_is_missing_or_different_is_named(promised, stored, why):
    assert broken_promise(encoded(promised), encoded(stored)) == why


@pytest.mark.parametrize("content", [None, b"", b"not json", b"[1]", b"\xff"])
def test_what_is_no_json_object_keeps_no_promise(content):
    assert broken_promise(b'{"a":1}', content)


@given(documents, documents)
def test_a_document_that_has_all_that_was_promised_keeps_it(promised, more):
    promised = {k: v for k, v in promised.items() if "\ud800" not in json.dumps(v)}
    try:
        content = json.dumps({**more, **promised}, ensure_ascii=False).encode()
        promise = json.dumps(promised, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert broken_promise(promise, content) is None


# Whatever may follow the promised bytes: a further field, the same one once more, a number that goes on, text that is no JSON.
RESTS = st.lists(st.sampled_from(["}", ",", '"b":2', '"a":9', '"\\u0061":9', "0", " ", "{", '"n":{"a":1}', ".5"]), max_size=5).map(
    "".join
)


@given(st.sampled_from([{}, {"a": 1}, {"a": "x"}, {"n": {"a": 1}}, {"a": 1, "b": "}"}]), RESTS)
@example({}, ',"b":2}')
@example({"a": 1}, ",}")
@example({"a": 1}, "0}")
@example({"a": 1}, ',"\\u0061":9}')
def test_what_begins_with_the_promised_bytes_is_judged_as_any_other_text(promised, rest):
    promise = to_json(promised)
    content = promise[:-1] + rest.encode()
    # A blank before it: what is stored does no longer begin with these bytes, and is the same JSON.
    assert broken_promise(promise, content) == broken_promise(promise, b" " + content)


def test_a_value_that_is_no_number_is_no_null():
    assert broken_promise(b'{"a":null}', b'{"a":NaN}') == "a: promised null, found NaN"
    assert broken_promise(b'{"a":NaN}', b'{"a": NaN}') is None
