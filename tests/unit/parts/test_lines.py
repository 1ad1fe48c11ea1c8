"""Lines and rows of files of the user's own: each with a bound, none dropped."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.parts.sources import lines as module
from harness.parts.sources.lines import Line, header_of, lines, rows


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 20)


def test_lines_end_with_a_line_feed_alone():
    assert list(lines(io.BytesIO(b"a\r\nb\rc\nd"))) == [
        Line(1, b"a\r\n", whole=True),
        Line(2, b"b\rc\n", whole=True),
        Line(3, b"d", whole=True),
    ]


@pytest.mark.parametrize("end", [b"\n", b""])
@pytest.mark.parametrize("length", [21, 40, 41, 60, 1000])
def test_of_a_line_that_is_too_long_the_beginning_is_kept(length, end):
    long = b"x" * length + end
    found = list(lines(io.BytesIO(b"a\n" + long + (b"b\n" if end else b""))))
    assert found[:2] == [Line(1, b"a\n", whole=True), Line(2, b"x" * 20, whole=False)]
    assert found[2:] == ([Line(3, b"b\n", whole=True)] if end else [])


def test_a_row_may_have_several_lines():
    assert list(rows(io.BytesIO(b'a,"b\nc"\nd,e\n'))) == [Line(1, b'a,"b\nc"\n', whole=True), Line(3, b"d,e\n", whole=True)]


def test_a_quote_within_a_field_opens_nothing():
    assert list(rows(io.BytesIO(b'5" nail,1\n2,3\n6" nail,1\n'))) == [
        Line(1, b'5" nail,1\n', whole=True), Line(2, b"2,3\n", whole=True), Line(3, b'6" nail,1\n', whole=True),
    ]  # fmt: skip


def test_a_quote_that_is_not_closed_takes_no_other_line():
    assert list(rows(io.BytesIO(b'1,"open\n2,b\n3,"c"\n'))) == [
        Line(1, b'1,"open\n', whole=False), Line(2, b"2,b\n", whole=True), Line(3, b'3,"c"\n', whole=True),
    ]  # fmt: skip


@given(st.binary(max_size=200))
def test_no_line_is_dropped_and_none_is_there_twice(content):
    found = list(lines(io.BytesIO(content)))
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    original = content.split(b"\n")
    assert len(found) == len(original) - (original[-1] == b"")
    for line, whole in zip(found, original, strict=False):
        assert line.content.removesuffix(b"\n") == whole[: len(line.content.removesuffix(b"\n"))]
        assert line.content.removesuffix(b"\n") == whole or not line.whole


@given(st.text('a,"\n\r', max_size=120).map(str.encode))
def test_rows_have_all_lines(content):
    found = list(rows(io.BytesIO(content)))
    if all(line.whole for line in lines(io.BytesIO(content))):
        assert b"".join(row.content for row in found) == content
    numbers = [row.number for row in found]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff,b\n", "is not CSV"), (b'"a,b\nc\n', "not closed"), (b"a" * 30, "too long")],
)
def test_a_header_that_cannot_be_read_is_named(tmp_path, content, said):
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        header_of(path, "--input")


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    path = tmp_path / "f.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n")
    assert header_of(path, "--input") == ["a", "b"]
