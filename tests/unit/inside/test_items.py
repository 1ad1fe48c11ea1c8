"""Moto's items and conditions, as the patches make them: in less time, and no other than before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.dynamodb import comparisons
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import dynamo_type
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

from harness.inside.dynamodb.limits import MAX_ITEM_BYTES
from harness.inside.dynamodb.values import at_most
from harness.inside.patches import dynamodb


@pytest.fixture(autouse=True, scope="module")
def patched():
    """Applies the patches for the time of this file."""
    with pytest.MonkeyPatch.context() as kept:
        for owner, name in (
            (Item, "__init__"),
            (LimitedSizeDict, "__setitem__"),
            (comparisons.ConditionExpressionParser, "_lex_condition_expression"),
        ):
            kept.setattr(owner, name, getattr(owner, name))
        dynamodb.item_size.apply(dynamo_type)
        dynamodb.conditions.apply(comparisons)
        yield


VALUES = st.one_of(
    st.builds(lambda text: {"S": text}, st.text(max_size=20)),
    st.builds(lambda number: {"N": str(number)}, st.integers(-(10**9), 10**9)),
    st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
    st.builds(lambda texts: {"L": [{"S": text} for text in texts]}, st.lists(st.text(max_size=5), max_size=3)),
)


def nested(values):
    return st.one_of(
        st.builds(lambda inner: {"M": inner}, st.dictionaries(st.text(max_size=3), values, max_size=3)),
        st.builds(lambda inner: {"L": inner}, st.lists(values, max_size=3)),
        st.builds(lambda texts: {"SS": texts}, st.lists(st.text(max_size=5), max_size=3)),
        st.builds(lambda data: {"B": data}, st.binary(max_size=5)),
        st.just({"NULL": True}),
    )


def made(attributes):
    return Item(DynamoType({"S": "1"}), None, attributes)


@given(st.dictionaries(st.text(min_size=1, max_size=8), VALUES, max_size=8))
def test_an_item_has_the_attributes_that_it_would_have_one_by_one(attributes):
    one_by_one = LimitedSizeDict()
    for name, value in attributes.items():
        one_by_one[name] = DynamoType(value)
    assert made(attributes).attrs == one_by_one
    assert isinstance(made(attributes).attrs, LimitedSizeDict)


def test_an_item_may_have_as_many_bytes_as_dynamodb_takes():
    exact = {"id": {"S": "1"}, "text": {"S": "x" * (MAX_ITEM_BYTES - len("id1text"))}}
    item = made(exact)
    with pytest.raises(ItemSizeTooLarge):
        made({**exact, "a": {"S": ""}})
    with pytest.raises(ItemSizeTooLarge):
        item.attrs["a"] = DynamoType({"S": ""})


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.recursive(VALUES, nested, max_leaves=8), max_size=8))
def test_no_item_is_larger_than_the_quick_look_says(attributes):
    size = sum(len(name.encode()) + DynamoType(value).size() for name, value in attributes.items())
    assert size <= at_most(attributes)


def test_an_item_with_what_moto_has_put_there_is_looked_at_in_full():
    with pytest.raises(ItemSizeTooLarge):
        made({"a": DynamoType({"S": "x" * (MAX_ITEM_BYTES + 1)})})


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_condition_that_was_taken_apart_before_has_the_values_of_its_own_request(order):
    # Twice the same text, with other values and names: what was remembered is the text alone.
    for wanted in order * 2:
        condition = "(#n = :wanted OR attribute_not_exists(more)) AND begins_with(kind, :start)"
        names, values = {"#n": f"field{wanted}"}, {":wanted": {"N": str(wanted)}, ":start": {"S": f"k{wanted}"}}
        for has in (1, 2):
            item = made({f"field{wanted}": {"N": str(has)}, "kind": {"S": f"k{has}!"}, "more": {"S": ""}})
            assert comparisons.get_filter_expression(condition, names, values).expr(item) is (has == wanted)
