"""The orders' transforms: what is an order, and what it becomes."""

from __future__ import annotations

import pytest
from pydantic_core import from_json

from harness.load.malformed_csv import CSV_MALFORMERS
from harness.load.orders import OrdersSource
from pipeline.files.failed_files import FileRejectedError
from pipeline.files.rows import MAX_ROW_BYTES, NotRowsError, lines
from pipeline.files.uploads import Upload, uploads
from pipeline.orders import transforms

HEADER = b"uuid,Country,Item Type,Sales Channel,Order Priority,Order Date,Region,Ship Date"
ROW = b"535113847,Azerbaijan,Snacks,Online,C,10/8/14,Middle East and North Africa,10/23/14"
MONEY = {"unitsSold": "934", "unitPrice": "152.58", "unitCost": "97.44", "totalRevenue": "1", "totalCost": "2", "totalProfit": "3"}


@pytest.mark.parametrize("kind", sorted(CSV_MALFORMERS))
def test_no_malformed_row_is_an_order_and_each_is_kept_as_it_came(kind):
    source = OrdersSource(3, 200, malformed_share=1, malformed_kinds=[kind])
    records = list(source)
    frame = source.frame(records[0].partition_key)
    body = b"".join(frame.parts(records)).removeprefix(frame.head)
    good, bad = transforms.parse(body.removesuffix(b"\n").split(b"\n"), ",", 2)
    # The first row is never spoilt.
    assert [order.line for order in good] == [2]
    assert [row.raw for row in bad] == [record.payload for record in records[1:]]


def test_healthy_rows_are_orders_and_enriched_as_promised():
    source = OrdersSource(4, 500)
    records = list(source)
    frame = source.frame(records[0].partition_key)
    body = b"".join(frame.parts(records)).removeprefix(frame.head)
    good, bad = transforms.parse(body.removesuffix(b"\n").split(b"\n"), ",", 2)
    assert bad == []
    enriched, unknown = transforms.enrich(transforms.load(transforms.dump(good)), {item["uuid"]: item for item in source.lookup()})
    assert unknown == []
    assert [dict(zip((*transforms.COLUMNS, *transforms.FINANCIALS), o.values, strict=True)) for o in enriched] == [
        from_json(record.promised) for record in records
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (None, "EmptyFile"),
        (b"", "WrongHeader"),
        (HEADER.replace(b",", b";"), "is the delimiter another one"),
        (HEADER.replace(b"uuid", b"id"), "WrongHeader"),
        (b"%PDF\xff", "NotCsv"),
    ],
)
def test_a_file_that_does_not_begin_as_orders_do_is_rejected_with_the_reason(line, said):
    with pytest.raises(FileRejectedError, match=said):
        transforms.check_header(line, ",")


@pytest.mark.parametrize("line", [HEADER, HEADER + b"\r", b"\xef\xbb\xbf" + HEADER, HEADER.replace(b"Country", b'"Country"')])
def test_a_header_may_have_what_editors_add(line):
    transforms.check_header(line, ",")


def test_an_order_of_which_nothing_is_known_is_a_failed_row_with_its_text():
    good, _ = transforms.parse([ROW, ROW.replace(b"535113847", b"1")], ",", 2)
    enriched, unknown = transforms.enrich(good, {"535113847": MONEY})
    assert [order.line for order in enriched] == [2]
    assert [(row.line, row.raw.split(b",")[0], row.problem.partition(":")[0]) for row in unknown] == [(3, b"1", "NoFinancials")]


@pytest.mark.parametrize(("wanted", "size", "chunk"), [(100, 1000, 100), (1, 10**9, 50_000), (2500, 7 * 10**7, 3500)])
def test_a_history_never_overflows(wanted, size, chunk):
    assert transforms.chunk_size(wanted, size) == chunk
    assert size / 8 / transforms.chunk_size(wanted, size) <= transforms.MAX_CHUNKS or wanted == chunk


def test_a_key_is_decoded_as_a_form_is_and_each_version_is_an_upload_of_its_own():
    event = {
        "Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "input/a+%2B1+%C3%A9.csv", "versionId": v}}} for v in "12"]
    }
    first, second = uploads(event)
    assert first == Upload("b", "input/a +1 é.csv", "1")
    assert first.id == "input/a%20%2B1%20%C3%A9.csv@1"
    assert first.run != second.run
    assert first.run.startswith("a-1-")


def test_a_row_without_financials_is_kept_as_it_came_quotes_and_all():
    raw = ROW.replace(b"Azerbaijan", b'"Azerbaijan"')
    good, _ = transforms.parse([raw], ",", 2)
    _, unknown = transforms.enrich(transforms.load(transforms.dump(good)), {})
    assert [row.raw for row in unknown] == [raw]


def test_a_carriage_return_inside_a_row_makes_it_none_and_one_at_its_end_does_not():
    good, bad = transforms.parse([ROW + b"\r", ROW.replace(b"Snacks", b"Sna\rcks")], ",", 2)
    assert [order.raw for order in good] == [ROW]
    assert [row.problem.partition(":")[0] for row in bad] == ["CarriageReturn"]


def test_a_line_that_is_too_long_is_no_row_wherever_it_stands():
    with pytest.raises(NotRowsError):
        list(lines([b"a\n" + b"x" * (MAX_ROW_BYTES + 1) + b"\nb\n"]))
