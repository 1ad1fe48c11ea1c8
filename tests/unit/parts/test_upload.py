"""A person's own CSV file, whole: its rows as records, and what is said of files that have none."""

from __future__ import annotations

import pytest
from pydantic_core import from_json

from harness.errors import UsageError
from harness.parts.ports import SourceContext
from harness.parts.sources.upload import Upload
from tests.loads import flat


def source(tmp_path, text, lookup=None, **options):
    path = tmp_path / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if lookup is not None:
        (tmp_path / "lookup.csv").write_text(lookup)
        options |= {"lookup_key": "id"}
    lookup_path = tmp_path / "lookup.csv" if lookup is not None else None
    return Upload(id_fields=("id",), **options).open(SourceContext(1, None, path, lookup_path))


def test_rows_are_offered_byte_for_byte_with_the_lines_that_they_begin_on(tmp_path):
    body = 'id,text\r\n1,plain\r\n2,"two\nlines, and ""quotes"""\r\n3,last'
    mine = source(tmp_path, body)
    (file,) = mine.units()
    records = flat(mine)
    assert [record.payload for record in records] == [b"1,plain", b'2,"two\nlines, and ""quotes"""', b"3,last"]
    assert [line for _, line in file.places()] == [2, 3, 5]
    assert b"".join(file.parts()) == body.encode()
    assert from_json(records[1].promised) == {"id": "2", "text": 'two\nlines, and "quotes"'}
    assert file.name == "input/mine.csv"


def test_a_row_must_have_the_columns_of_its_line_in_the_lookup_and_must_not_be_stored_without_one(tmp_path):
    mine = source(tmp_path, "id,text\n1,a\n2,b\n3\n", lookup="id,price\n1,9.50\n")
    first, second, third = flat(mine)
    assert from_json(first.promised) == {"id": "1", "text": "a", "price": "9.50"}
    assert (second.promised, second.malformed) == (None, "unknown_key")
    assert (third.promised, third.malformed) == (None, "unmapped line")
    assert list(mine.lookup()) == [{"id": "1", "price": "9.50"}]


def test_bytes_that_are_no_text_are_offered_as_they_are_and_must_not_be_stored(tmp_path):
    (record,) = flat(source(tmp_path, b"id,text\n\xff1,a\n"))
    assert (record.payload, record.promised) == (b"\xff1,a", None)
    record.record_id.encode()


@pytest.mark.parametrize(
    ("text", "lookup", "said"),
    [
        ("", None, "is empty"),
        ("name\n1\n", None, "no column id"),
        ('id,text\n1,"never closed\n' + "x\n" * 30, None, "mine.csv:2: a quote"),
        ('id,text\n1,"open\n2,b\n', None, "mine.csv:2: a quote"),
        ("id,text\n1,a\n2,b\rc\n", None, "mine.csv:3: not a row of CSV"),
        ("id\n1\n", "key\n1\n", "no column id"),
        ("id\n1\n", "id,price\n1\n", "lookup.csv:2: not as many values"),
        ("id\n1\n", "id,price\n1," + "x" * (11 << 20), "lookup.csv is not CSV: a line has more than"),
        (",".join(f"column{n}" for n in range(10_000)) + "\n1\n", None, "there is column0, column1, .*…$"),
    ],
)
def test_a_file_that_means_nothing_is_refused_with_the_line_and_the_reason(tmp_path, text, lookup, said):
    with pytest.raises(UsageError, match=said):
        source(tmp_path, text, lookup)


def test_a_header_may_have_several_lines(tmp_path):
    body = 'id,"a\nx"\n1,2\n'
    mine = source(tmp_path, body)
    (file,) = mine.units()
    assert b"".join(file.parts()) == body.encode()
    assert [(record.record_id, from_json(record.promised)) for record in flat(mine)] == [("1", {"id": "1", "a\nx": "2"})]


def test_a_file_without_a_row_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no row"):
        source(tmp_path, "id,text\n")


def test_lookup_data_are_read_a_row_at_a_time(tmp_path):
    rows = '\ufeffid,text\r\n\r\n1,"two\nlines, ""quoted"""\r\n2,ü'
    assert list(source(tmp_path, "id\n1\n", rows).lookup()) == [
        {"id": "1", "text": 'two\nlines, "quoted"'},
        {"id": "2", "text": "ü"},
    ]


def test_a_row_for_which_the_rule_is_true_is_filtered_and_one_for_which_it_has_no_value_is_malformed(tmp_path):
    body = "id,amount\n1,100.00\n2,100.000000000000000000001\n3,many\n4\n"
    first, second, third, fourth = flat(source(tmp_path, body, filtered="{{ amount | decimal <= 100 }}"))
    assert (first.filtered, first.promised, first.malformed) == ("{{ amount | decimal <= 100 }}", None, None)
    assert (second.filtered, second.malformed) == (None, None)
    assert from_json(second.promised)["id"] == "2"
    assert [(one.filtered, one.promised, one.malformed) for one in (third, fourth)] == [(None, None, "unmapped line")] * 2
