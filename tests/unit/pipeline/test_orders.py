"""The orders' transforms: what is an order, and what it becomes."""

from __future__ import annotations

import pytest
from pydantic_core import from_json

from harness.parts.formats.csv_malformers import CSV_MALFORMERS
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


@pytest.mark.parametrize(("wanted", "lines", "chunk"), [(100, 1000, 100), (1, 2500, 1), (1, 2501, 2), (2500, 10**7, 4000)])
def test_a_history_never_overflows(wanted, lines, chunk):
    assert transforms.chunk_size(wanted, lines) == chunk
    assert lines / transforms.chunk_size(wanted, lines) <= transforms.MAX_CHUNKS


def test_a_row_without_financials_is_kept_as_it_came_quotes_and_all():
    raw = ROW.replace(b"Azerbaijan", b'"Azerbaijan"')
    good, _ = transforms.parse([raw], ",", 2)
    _, unknown = transforms.enrich(transforms.load(transforms.dump(good)), {})
    assert [row.raw for row in unknown] == [raw]


def test_a_carriage_return_inside_a_row_makes_it_none_and_one_at_its_end_does_not():
    good, bad = transforms.parse([ROW + b"\r", ROW.replace(b"Snacks", b"Sna\rcks")], ",", 2)
    assert [order.raw for order in good] == [ROW]
    assert [row.problem.partition(":")[0] for row in bad] == ["CarriageReturn"]
