"""Rows of a CSV file: every byte in exactly one row, and no row takes its neighbours with it."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from harness.parts.formats.csv_malformers import CSV_MALFORMERS
from pipeline.files.rows import MAX_ROW_LINES, lines, rows
from pipeline.orders.transforms import COLUMNS
from tests import loads

FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)
TABLES = st.lists(st.lists(FIELDS, min_size=3, max_size=3), max_size=12)
BYTES = st.binary(max_size=200) | st.text(alphabet='ab,"\n\r\0é;', max_size=200).map(str.encode)


def parts(body, size):
    return (body[start : start + size] for start in range(0, len(body), size))


def written(table):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue().encode()


@given(TABLES, st.integers(1, 50))
def test_what_csv_writes_is_read_as_it_was(table, size):
    """As long as no row has more line ends than anybody means to have in one."""
    table = [row for row in table if "".join(row).count("\n") < MAX_ROW_LINES]
    read = list(rows(lines(parts(written(table), size)), 3))
    assert [list(row.fields) for row in read] == table
    assert not any(row.problem for row in read)


@given(BYTES, st.integers(1, 50))
def test_every_byte_is_in_exactly_one_row_and_every_row_knows_its_line(body, size):
    read = list(rows(lines(parts(body, size)), 3))
    offered = body.removesuffix(b"\n").split(b"\n") if body else []
    kept = [line for row in read for line in row.raw.split(b"\n")]
    assert [line.rstrip(b"\r") for line in kept] == [line.rstrip(b"\r") for line in offered]
    number = 1
    for row in read:
        assert row.line == number
        assert bool(row.problem) != bool(row.fields)
        assert not row.fields or len(row.fields) == 3
        number += row.raw.count(b"\n") + 1


@given(st.integers(0, 10**6), st.lists(st.sampled_from(sorted(CSV_MALFORMERS)), min_size=1, max_size=3))
def test_a_spoilt_row_never_takes_another_with_it(seed, kinds):
    """Whatever is done to one row in five, the others are read as they are, each on the line that the harness says."""
    (file,) = loads.files("orders", seed, 40, share=0.2, kinds=kinds).units()
    read = {row.line: row for row in rows(lines(file.parts()), len(COLUMNS))}
    assert len(read) == 40 + 1
    for record, line in file.places():
        assert read[line].raw == record.payload
        if record.malformed is None:
            assert read[line].fields[0] == record.record_id
