"""The transforms of the customers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from pipeline.customers.load import expected
from pipeline.customers.transforms import Customer, Rejected, customer, newest, page, tier

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
ITEMS = st.fixed_dictionaries(
    {
        "id": st.text(min_size=1),
        "name": st.text(min_size=1).filter(str.strip),
        "country": st.sampled_from(["DE", "GB", "US"]),
        "points": st.integers(0, 12_000),
        "birthDate": st.dates().map(lambda day: f"{day.day:02d}.{day.month:02d}.{day.year:04d}"),
        "updatedAt": st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.timezones()).map(datetime.isoformat),  # noqa: DTZ001
    },
    optional={"note": JSON},
).map(
    lambda item: {**item, "phone": {"DE": "030 ", "GB": "020 7", "US": "(212) "}[item["country"]] + str(7_000_000 + item["points"])}
)


@given(ITEMS)
def test_a_customer_is_stored_as_promised(item):
    found = customer(json.dumps(item))
    assert isinstance(found, Customer)
    assert {**found.document, "points": str(found.document["points"])} == expected(item)


@given(
    st.text()
    | JSON.map(json.dumps)
    | st.dictionaries(st.sampled_from(["id", "name", "phone", "country", "points", "birthDate", "updatedAt"]), JSON).map(json.dumps)
)
def test_any_text_is_a_customer_or_is_rejected_with_a_reason(text):
    found = customer(text)
    assert isinstance(found, Customer) or found.error


ODD = ['{"id": "a", "points": ' + "9" * 5000 + "}", '{"id": "a", "x": ' + "[" * 20_000 + "]" * 20_000 + "}", '{"id": "\\ud800"}']
WHOLE = {
    "id": "a",
    "name": "b",
    "country": "DE",
    "phone": "030 7000000",
    "points": 1,
    "birthDate": "31.01.1990",
    "updatedAt": "2026-01-01T00:00:00Z",
}


@pytest.mark.parametrize("odd", [*ODD, *(json.dumps({**WHOLE, **change}) for change in (
    {"points": 10**40}, {"id": "é" * 1025}, {"name": "x" * 500_000}, {"name": "\ud800"}, {"id": "\udfff"},
))], ids=lambda text: text[:20])  # fmt: skip
def test_an_item_that_no_table_takes_is_rejected_and_does_not_spoil_its_page(odd):
    found = page(f'{{"items": [{json.dumps(WHOLE)}, {odd}], "next": "x", "more": false}}')
    assert found.items == [json.dumps(WHOLE), odd]
    assert isinstance(customer(odd), Rejected)


@given(ITEMS)
def test_what_is_a_customer_can_be_stored(item):
    found = customer(json.dumps(item))
    assert isinstance(found, Customer)
    assert TypeDeserializer().deserialize(TypeSerializer().serialize(found.document)) == found.document
    json.dumps(found.document, ensure_ascii=False).encode()


@pytest.mark.parametrize("field", ["name", "phone", "country", "points", "birthDate", "updatedAt"])
def test_a_customer_without_one_of_the_fields_is_rejected_with_its_id(field):
    assert isinstance(customer(json.dumps(WHOLE)), Customer)
    for item in ({name: value for name, value in WHOLE.items() if name != field}, {**WHOLE, field: None}):
        found = customer(json.dumps(item))
        assert isinstance(found, Rejected)
        assert found.customer_id == "a"


def test_an_unknown_country_is_rejected_also_beside_a_number_that_is_read_without_it():
    found = customer(json.dumps({**WHOLE, "country": "??", "phone": "+49 (30) 7000000"}))
    assert isinstance(found, Rejected)
    assert found.error == "CountryUnknown"


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_more_points_are_never_a_lower_tier(points, more):
    order = ["bronze", "silver", "gold", "platinum"]
    assert order.index(tier(points)) <= order.index(tier(points + more))
    assert [tier(bound) for bound in (0, 999, 1000, 4999, 5000, 9999, 10_000)] == [
        "bronze", "bronze", "silver", "silver", "gold", "gold", "platinum",
    ]  # fmt: skip


VERSIONS = st.builds(
    lambda name, minute: Customer(name, datetime(2026, 1, 1, 0, minute, tzinfo=UTC), {"id": name, "minute": minute}),
    st.sampled_from("abc"), st.integers(0, 5),
)  # fmt: skip


@given(st.lists(VERSIONS))
def test_of_the_versions_of_a_customer_the_newest_counts_in_whatever_order_they_come(versions):
    found = newest(versions)
    assert {name: each.version for name, each in found.items()} == {
        name: max(each.version for each in versions if each.customer_id == name) for name in {each.customer_id for each in versions}
    }
    assert {name: each.document for name, each in newest(reversed(versions)).items()} == {
        name: each.document for name, each in found.items()
    }
    assert newest([*versions, *found.values()]) == found


@given(
    st.lists(JSON, max_size=5),
    st.integers(0, 4),
    st.booleans(),
    st.dictionaries(st.sampled_from(["a", "b"]), JSON),
    st.sampled_from(["first", "last"]),
)
def test_the_items_of_a_page_are_those_texts_that_stand_there(items, indent, more, beside, place):
    texts = [json.dumps(item, indent=indent) for item in items]
    blank = " " * indent + "\n"
    of_items = f'"items"{blank}:{blank}[{blank}' + f"{blank},{blank}".join(texts) + f"{blank}]"
    others = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**beside, "next": "x", "more": more}.items()]
    parts = [of_items, *others] if place == "first" else [*others, of_items]
    assert page("{" + f",{blank}".join(parts) + blank + "}") == (texts, "x", more)


@given(st.lists(ITEMS, min_size=1, max_size=3), st.floats(0, 0.999))
def test_a_page_that_was_cut_off_is_none(items, share):
    text = json.dumps({"items": items, "next": "x", "more": True})
    with pytest.raises(ValueError, match=r"cut off|expected"):
        page(text[: int(len(text) * share)])
