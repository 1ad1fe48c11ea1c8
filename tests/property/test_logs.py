"""Lines of logs: every byte in exactly one line, from any place on; and a transform that takes any bytes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.logs.lines import Place, lines
from pipeline.logs.transforms import Malformed, Normalised, is_blank, normalise

BYTES = st.binary(max_size=200) | st.text(alphabet='ab{}":\n\r\0é', max_size=200).map(str.encode)
TIMES = st.datetimes().map(str) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.none()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def cut(body, size):
    return (body[start : start + size] for start in range(0, len(body), size))


@given(BYTES, st.integers(1, 50))
def test_every_byte_is_in_one_line_with_its_number_and_its_offset(body, size):
    found = list(lines(cut(body, size), Place()))
    expected = body.split(b"\n")
    if not expected[-1]:
        expected.pop()
    mark = b"\xef\xbb\xbf"
    assert [line.content for line in found] == [
        (line.removesuffix(b"\r").removeprefix(mark) if number == 0 else line.removesuffix(b"\r"))
        for number, line in enumerate(expected)
    ]
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    for line in found:
        assert body[line.offset : line.offset + line.length] == line.content


@given(BYTES, st.integers(1, 50), st.data())
def test_who_goes_on_at_a_line_reads_the_same_lines_as_who_reads_all(body, size, data):
    whole = list(lines([body], Place()))
    if not whole:
        return
    at = data.draw(st.integers(0, len(whole) - 1))
    start = Place(whole[at].number, whole[at].offset, 7)
    assert list(lines(cut(body[start.offset :], size), start)) == whole[at:]


@given(BYTES)
def test_the_transform_is_total_and_what_it_stores_is_one_line_of_json(line):
    if is_blank(line) or b"\n" in line:
        return
    found = normalise(line)
    if isinstance(found, Malformed):
        assert found.error
        return
    stored = found.document(b'"u@v"', 3)
    assert stored.count(b"\n") == 1
    assert json.loads(stored)["line"] == 3


@given(st.dictionaries(st.text(), JSON, max_size=4), TIMES)
def test_the_event_of_a_json_line_is_stored_as_it_was_written(event, time):
    line = json.dumps({**event, "timestamp": time}).encode()
    found = normalise(line)
    if isinstance(found, Normalised):
        document = json.loads(found.document(b'"u"', 1))
        assert document["event"] == json.loads(line)
        assert found.event == line


@given(st.dictionaries(st.text(), JSON, max_size=4), st.datetimes())
def test_what_is_normalised_once_more_keeps_its_time(event, moment):
    found = normalise(json.dumps({**event, "timestamp": moment.isoformat()}).encode())
    assert isinstance(found, Normalised)
    again = normalise(json.dumps({"timestamp": found.timestamp}).encode())
    assert isinstance(again, Normalised)
    assert again.timestamp == found.timestamp
