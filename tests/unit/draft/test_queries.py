"""What a query of S3 Select leaves out, said as a scenario says it: the expression agrees with the emulator's own S3 Select."""

from __future__ import annotations

import ast
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.draft.queries import filter_of, queries_in, queries_of_code
from harness.inside.s3.select import selected
from harness.parts.expressions import compiled

FIELDS = {
    "amount": {"type": "choice", "of": ["-1.5", "2"]},
    "country": {"type": "choice", "of": ["DE", "FR"]},
    "units": {"type": "int", "min": 1, "max": 9},
    "at": {"type": "datetime"},
    "a b": {"type": "uuid"},
}


@pytest.mark.parametrize(
    ("where", "expression"),
    [
        ("CAST(s.amount AS DECIMAL) > 100", "{{ not ((amount | string | decimal) > 100) }}"),
        ("s.\"country\" = 'DE' AND NOT s.units <> -5", "{{ not ((country == 'DE' and not (units != -5))) }}"),
        ("s.country IN ('DE', 'FR') OR s.units BETWEEN 1 AND 5", "{{ not (((country == 'DE' or country == 'FR') or (1 <= units and units <= 5))) }}"),
        # What is not said: other fields, functions, and what mixes numbers and texts.
        ("s.nothing = 1", None),
        ('s."a b" = 1', None),
        ("LOWER(s.country) = 'de'", None),
        ("s.country LIKE 'D%'", None),
        ("s.country = 'D''E'", None),
        ("s.units IN ('5', '6')", None),
        ("s.units = '5'", None),
        ("s.amount > 1", None),
        ("CAST(s.amount AS INT) > 1", None),
        ("CAST(s.country AS DECIMAL) > 1", None),
        ("CAST(s.at AS TIMESTAMP) > CAST('2020-01-01' AS TIMESTAMP)", None),
        ("s.country = 'DE' LIMIT 5", None),
        (" OR ".join(["s.country = 'DE'"] * 400), None),
        ("(" * 400 + "s.units = 1" + ")" * 400, None),
        ("this is no SQL", None),
    ],
)  # fmt: skip
def test_a_condition_becomes_an_expression_or_is_left_to_the_person(where, expression):
    query = f"SELECT * FROM S3Object[*].rows[*] s WHERE {where}"
    assert list(queries_in({"Environment": ["x", query, "SELECT * FROM s3object s", 5]})) == [query]
    assert filter_of([query], FIELDS) == expression


def test_of_two_queries_a_record_is_dropped_that_none_selects():
    queries = ["SELECT * FROM s3object s WHERE s.units > 1", "SELECT s.country FROM s3object s WHERE s.country = 'DE'"]
    assert filter_of(queries, FIELDS) == "{{ not (units > 1 or country == 'DE') }}"
    assert filter_of([], FIELDS) is None
    assert filter_of(["SELECT COUNT(*) FROM s3object s WHERE s.units > 1"], FIELDS) is None
    assert filter_of(["SELECT * FROM s3object s WHERE s.units > 1"], FIELDS, as_text=True) is None, "cells of CSV are texts"


def test_of_a_query_that_code_puts_together_nothing_is_known():
    code = 'Q = f"SELECT * FROM s3object s WHERE s.country = \'DE\' {more}"\nP = "SELECT * FROM s3object s WHERE s.units > 1" + more\nR = "SELECT * FROM s3object s WHERE s.units > 2"\n'
    first, second, third = queries_of_code([ast.parse(code)])
    assert (filter_of([first], FIELDS), filter_of([second], FIELDS)) == (None, None)
    assert filter_of([third], FIELDS) == "{{ not (units > 2) }}"


OPERATORS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
CONDITIONS = st.recursive(
    st.one_of(
        st.tuples(OPERATORS, st.integers(-3, 3)).map(lambda one: f"CAST(s.amount AS DECIMAL) {one[0]} {one[1]}"),
        st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(lambda one: f"CAST(s.units AS INT) BETWEEN {one[0]} AND {one[1]}"),
        st.lists(st.integers(-3, 3), min_size=1).map(lambda some: f"CAST(s.units AS INT) IN ({', '.join(map(str, some))})"),
        st.sampled_from(["s.country = 'DE'", "s.country <> 'DE'", "s.country IN ('FR', 'JP')", "s.country > 'DE'"]),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda one: f"({one[0]}) {one[1]} ({one[2]})"),
        inner.map(lambda one: f"NOT ({one})"),
    ),
    max_leaves=4,
)


@given(CONDITIONS)
def test_the_expression_drops_what_the_query_does_not_select(tmp_path_factory, where):
    rows = [
        {"amount": amount, "country": country, "units": units}
        for amount in ("-1.5", "0", "2")
        for country in ("DE", "FR")
        for units in ("-3", "1")
    ]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["amount", "country", "units"])
    writer.writeheader()
    writer.writerows(rows)
    path = tmp_path_factory.mktemp("select") / "rows.csv"
    path.write_text(text.getvalue())
    query = f"SELECT * FROM s3object s WHERE {where}"
    found = b"".join(selected(path, query, {"CSV": {"FileHeaderInfo": "USE"}}, {"CSV": {}})).decode()
    expression = filter_of([query], FIELDS)
    assert expression is not None
    is_dropped = compiled(expression)
    kept = [row for row in rows if not is_dropped({**row, "units": int(row["units"])})]
    assert list(csv.reader(io.StringIO(found))) == [list(row.values()) for row in kept]
