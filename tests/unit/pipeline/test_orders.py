"""The orders' transforms: what is an order, and what it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from harness.parts.formats.csv_malformers import CSV_MALFORMERS
from pipeline.files.rows import Row
from pipeline.orders import transforms
from tests import loads

ROW = b"535113847,Azerbaijan,Snacks,Online,C,10/8/14,Middle East and North Africa,10/23/14"
MONEY = {"unitsSold": "934", "unitPrice": "152.58", "unitCost": "97.44", "totalRevenue": "1", "totalCost": "2", "totalProfit": "3"}


@pytest.mark.parametrize("kind", sorted(CSV_MALFORMERS))
def test_no_malformed_row_is_an_order_and_each_is_kept_as_it_came(kind):
    source = loads.files("orders", 3, 200, share=1, kinds=[kind])
    records = loads.flat(source)
    _, _, body = loads.body(source).partition(b"\n")
    good, bad = transforms.parse(body.removesuffix(b"\n").split(b"\n"), ",", 2)
    # The first row is never spoilt.
    assert [order.line for order in good] == [2]
    assert [row.raw for row in bad] == [record.payload for record in records[1:]]


def test_healthy_rows_are_orders_and_enriched_as_promised():
    source = loads.files("orders", 4, 500)
    records = loads.flat(source)
    _, _, body = loads.body(source).partition(b"\n")
    good, bad = transforms.parse(body.removesuffix(b"\n").split(b"\n"), ",", 2)
    assert bad == []
    enriched, unknown = transforms.enrich(transforms.load(transforms.dump(good)), {item["uuid"]: item for item in source.lookup()})
    assert unknown == []
    assert [dict(zip((*transforms.COLUMNS, *transforms.FINANCIALS), o.values, strict=True)) for o in enriched] == [
        from_json(record.promised) for record in records
    ]


def test_an_order_of_which_nothing_is_known_is_a_failed_row_with_its_text():
    good, _ = transforms.parse([ROW, ROW.replace(b"535113847", b"1")], ",", 2)
    enriched, unknown = transforms.enrich(good, {"535113847": MONEY})
    assert [order.line for order in enriched] == [2]
    assert [(row.line, row.raw.split(b",")[0], row.problem.partition(":")[0]) for row in unknown] == [(3, b"1", "NoFinancials")]


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=60),
    st.integers(1, 20),
    st.integers(1, 2000),
    st.integers(2, 12).map(lambda half: 2 * half),
)
def test_chunks_have_all_rows_in_order_within_their_bounds_and_are_never_too_many(lengths, rows, size, most_chunks):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(transforms, "MAX_CHUNKS", most_chunks)
        most = transforms.bounds(
            transforms.Bounds(rows, size), transforms.Bounds(len(lengths) + 1, sum(lengths) + len(lengths) + 10)
        )
    given_ = [Row(number, b"x" * length, (), None) for number, length in enumerate(lengths, 2)]
    made = list(transforms.chunks(given_, most))
    assert [row for chunk in made for row in chunk] == given_
    assert all(len(chunk) <= most.rows for chunk in made)
    assert all(len(chunk) == 1 or sum(len(row.raw) + 1 for row in chunk) <= most.size for chunk in made)
    assert len(made) <= most_chunks
    assert most.rows >= rows
    assert most.size >= size


def test_a_row_without_financials_is_kept_as_it_came_quotes_and_all():
    raw = ROW.replace(b"Azerbaijan", b'"Azerbaijan"')
    good, _ = transforms.parse([raw], ",", 2)
    _, unknown = transforms.enrich(transforms.load(transforms.dump(good)), {})
    assert [row.raw for row in unknown] == [raw]


def test_a_carriage_return_inside_a_row_makes_it_none_and_one_at_its_end_does_not():
    good, bad = transforms.parse([ROW + b"\r", ROW.replace(b"Snacks", b"Sna\rcks")], ",", 2)
    assert [order.raw for order in good] == [ROW]
    assert [row.problem.partition(":")[0] for row in bad] == ["CarriageReturn"]
