"""Samples: what is a record in a file, and the fields of a source that draws such records."""

from __future__ import annotations

import base64
import json
import re

import pytest

from harness.draft.infer import fields_of, id_field, left_out
from harness.draft.sample import read_sample
from harness.errors import UsageError
from harness.parts.ports import SourceContext
from harness.parts.sources.synthetic import Synthetic

ORDER = {"orderId": "A-1", "total": 12.5}


def envelope(body):
    return json.dumps(body)


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("a.csv", "orderId,total\nA-1,12.5\n", "csv"),
        ("a.json", json.dumps([ORDER]), "json"),
        ("a.json", json.dumps({"orders": [ORDER, ORDER]}), "json"),
        ("a.ndjson", json.dumps(ORDER) + "\n\n" + json.dumps(ORDER), "ndjson"),
        ("a.json", json.dumps(ORDER), "events"),
        ("a.json", envelope({"httpMethod": "POST", "body": json.dumps(ORDER)}), "events"),
        ("a.json", envelope({"requestContext": {"http": {}}, "body": json.dumps(ORDER)}), "events"),
        ("a.json", envelope({"Records": [{"messageId": "1", "body": json.dumps(ORDER)}]}), "events"),
        ("a.json", envelope({"Records": [{"Sns": {"Message": json.dumps(ORDER)}}]}), "events"),
        ("a.json", envelope({"Records": [{"kinesis": {"data": base64.b64encode(json.dumps(ORDER).encode()).decode()}}]}), "events"),
        ("a.json", envelope({"detail-type": "order", "detail": ORDER}), "events"),
    ],
)
def test_records_are_found_in_each_kind_of_file(tmp_path, name, text, form):
    path = tmp_path / name
    path.write_text(text)
    found, records, list_key = read_sample(path)
    assert (found, list_key) == (form, "orders" if "orders" in text else None)
    assert records[0] == (ORDER if form != "csv" else {"orderId": "A-1", "total": "12.5"})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", "{", "neither JSON nor JSON lines"),
        ("a.json", "[]", "has no record"),
        ("a.json", "[1, 2]", "has no record"),
        ("a.csv", "a,b\n", "has no record"),
        ("a.csv", "", "has no record"),
        ("a.json", json.dumps({}), "has no record"),
    ],
)
def test_a_sample_without_records_is_refused_by_name(tmp_path, name, text, said):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError, match=f"sample .*{name} .*{said}"):
        read_sample(path)


@pytest.mark.parametrize(
    ("records", "name"),
    [
        ([{"customerId": "c", "orderId": "a"}, {"customerId": "c", "orderId": "b"}], "orderId"),
        ([{"id": 1, "name": "x"}, {"id": 2, "name": "y"}], "id"),
        ([{"id": 1, "name": "x"}, {"id": 1, "name": "y"}], None),
        ([{"name": "x", "sku": "s"}], "sku"),
        ([{"name": "x"}], None),
        ([{"orderId": None}], None),
    ],
)
def test_the_id_is_the_field_that_tells_records_apart(records, name):
    assert id_field(records) == name


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([1, 5], {"type": "int", "min": 1, "max": 5}),
        ([1, 2.25], {"type": "decimal", "min": 1.0, "max": 2.25, "places": 2}),
        ([True, False], {"type": "choice", "of": [True, False]}),
        (["a@b.org", "c@d.org"], {"type": "email"}),
        (["2026-01-31", "2026-02-01"], {"type": "date", "min": "2026-01-31", "max": "2026-02-01"}),
        (["2026-01-31T12:00:00.000Z"], {"type": "datetime", "min": "2026-01-31", "max": "2026-02-01"}),
        (
            ["2026-01-31T12:00:00Z", "2026-02-02T12:00:00Z"],
            {"type": "datetime", "min": "2026-01-31", "max": "2026-02-03", "format": "%Y-%m-%dT%H:%M:%SZ"},
        ),
        (["2026-01-31 12:00"], {"type": "datetime", "min": "2026-01-31", "max": "2026-02-01", "format": "%Y-%m-%d %H:%M"}),
        (
            ["2026-01-31T12:00:00.123456+02:00"],
            {
                "type": "datetime",
                "min": "2026-01-31",
                "max": "2026-02-01",
                "zones": ["+02:00"],
                "format": "%Y-%m-%dT%H:%M:%S.%f+02:00",
            },
        ),
        (["3a3f2f06-4a51-4c55-8a3b-1f60c5f9a6d7"], {"type": "uuid"}),
        (["new", "old", "new"], {"type": "choice", "of": ["new", "old"]}),
        (["007"], {"type": "choice", "of": ["007"]}),
        (["7", "5"], {"type": "choice", "of": ["5", "7"]}),
        ([None], {"type": "choice", "of": [None]}),
        ([1, None], {"type": "int", "min": 1, "max": 1, "null": 0.5}),
        ([{"a": 1}, {"a": 2}], {"type": "nested", "fields": {"a": {"type": "int", "min": 1, "max": 2}}}),
        ([[1], [2]], {"type": "choice", "of": [[1], [2]]}),
    ],
)
def test_a_field_draws_what_the_sample_has_shown_to_be_valid(values, field):
    assert fields_of([{"x": value, "id": number} for number, value in enumerate(values)], "id")["x"] == field


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("3a3f2f06-4a51-4c55-8a3b-1f60c5f9a6d7", {"type": "uuid"}),
        ("evt_3a3f2f06-4a51-4c55-8a3b-1f60c5f9a6d7", {"type": "uuid", "prefix": "evt_"}),
        ("ORD-100341", {"type": "int", "unique": True, "min": 100_000, "max": 999_999, "prefix": "ORD-"}),
        ("ORD-100", {"type": "int", "unique": True, "min": 100_000_000, "max": 999_999_999, "prefix": "ORD-"}),
        (17, {"type": "int", "unique": True, "min": 100_000_000, "max": 999_999_999}),
        ("anything else", {"type": "uuid"}),
    ],
)
def test_ids_look_like_those_of_the_sample_and_are_found_in_any_text(value, field):
    assert fields_of([{"id": value}], "id")["id"] == field


def test_cells_of_csv_are_numbers_where_they_look_like_numbers():
    rows = [{"id": "1", "price": "2.50", "units": "3", "code": "007", "note": ""}]
    fields = fields_of(rows, "id", as_text=True)
    assert [fields[name]["type"] for name in rows[0]] == ["int", "decimal", "int", "choice", "choice"]


def test_names_with_blanks_are_fields_and_what_no_field_may_be_called_is_left_out_and_told():
    records = [{"id": 1, "a-b": 2, "Order Date": "2026-01-31", "1st": 3, "é": 4}]
    assert list(fields_of(records, "id")) == ["id", "a-b", "Order Date"]
    assert left_out(records) == ["1st", "é"]


@pytest.mark.parametrize(
    "value", ["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00Z", "2026-01-31 12:00", "2026-01-31T12:00:00.123456+02:00"]
)
def test_moments_are_drawn_in_the_form_of_the_sample(value):
    fields = fields_of([{"id": "x", "at": value}], "id")
    source = Synthetic.model_validate({"records": 20, "id": "id", "fields": fields, "vary": False})
    drawn = [json.loads(record.payload)["at"] for record in source.open(SourceContext(1)).units()]
    shape = re.sub(r"\d", "0", value)
    assert {re.sub(r"\d", "0", one) for one in drawn} == {shape}
    assert {one[:10] for one in drawn} <= {"2026-01-31", "2026-02-01"}
