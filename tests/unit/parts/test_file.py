"""Recorded files: lines become events as the scenario says, equal lines stay different records, nothing is dropped."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from pydantic_core import from_json

from harness.errors import UsageError
from harness.parts.ports import SourceContext
from harness.parts.sources.file import RecordedFile

LINE = (
    '83.149.9.216 - frank [17/May/2015:10:05:03 +0200] "GET /a?b=1 HTTP/1.1" 200 203023 '
    '"http://example.com/" "Mozilla/5.0 (\\"quoted\\")"'
)
EVENT = {"eventId": "{record_id}", "userId": "{host}", "t": "{time}", "p": {"status": "{status}", "text": "{method} {path}"}}


def source(path, **options):
    given = {
        "format": "apache_combined",
        "event": EVENT,
        "promise": {"hour": "{hour}"},
        "id_field": "eventId",
        "key_field": "userId",
    }
    limit = options.pop("limit", None)
    load = RecordedFile.model_validate({**given, **options}).open(SourceContext(1, limit, path))
    return load.units()


def write(tmp_path, content):
    path = tmp_path / "input"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_an_apache_line_becomes_an_event_with_typed_fields_in_utc(tmp_path):
    (record,) = source(write(tmp_path, LINE + "\n"))
    event = from_json(record.payload)
    assert event == {
        "eventId": record.record_id,
        "userId": "83.149.9.216",
        "t": "2015-05-17T08:05:03Z",
        "p": {"status": 200, "text": "GET /a?b=1"},
    }
    assert from_json(record.promised) == {**event, "hour": "2015-05-17T08:00:00Z"}
    assert record.partition_key == "83.149.9.216"


def test_equal_lines_are_different_records(tmp_path):
    first, second = source(write(tmp_path, f"{LINE}\n{LINE}\n"))
    assert first.record_id != second.record_id


@pytest.mark.parametrize(
    "line",
    [
        LINE[:-1],
        LINE.replace("May", "Foo"),
        LINE.replace("200 ", "2xx "),
        "nonsense",
        LINE + ' "more"',
        LINE.replace("83", "\udcff"),
    ],
    ids=["cut off", "no month", "no status", "no log line", "too much", "not UTF-8"],
)
def test_a_line_that_cannot_be_mapped_is_offered_as_it_is_and_must_not_be_stored(tmp_path, line):
    raw = line.encode("utf-8", "surrogateescape")
    before, record, after = source(write(tmp_path, b"\n".join([LINE.encode(), raw, LINE.encode()])))
    assert record.payload == raw
    assert record.promised is None
    assert record.malformed == "unmapped line"
    assert before.promised
    assert after.promised


@pytest.mark.parametrize(("form", "content"), [("apache_combined", LINE), ("csv", "host,path\n1,2\n")])
def test_a_field_that_no_line_has_is_a_usage_error_and_not_a_file_of_malformed_lines(tmp_path, form, content):
    event = {"eventId": "{record_id}", "userId": "{host}", "x": ["{nothing}"]}
    with pytest.raises(UsageError, match=r"no field nothing .* there is .*host"):
        list(source(write(tmp_path, content), format=form, event=event, promise={}))


def test_ndjson_without_a_mapping_is_offered_byte_for_byte(tmp_path):
    lines = [b'{"eventId": "a", "userId":"u", "n": 12345678901234567890123}', b"not json", b'{"userId":"no id"}']
    records = list(source(write(tmp_path, b"\n".join(lines)), format="ndjson", event=None, promise={}))
    assert [r.payload for r in records] == lines
    assert [r.promised is None for r in records] == [False, True, True]
    assert records[0].record_id == "a"
    assert b"12345678901234567890123" in records[0].promised


def test_csv_rows_have_their_columns_and_odd_rows_are_unmapped(tmp_path):
    content = 'host,path\n1.2.3.4,"a, b"\nshort\n5.6.7.8,x,long\n9.9.9.9,"two\nlines"\n'
    event = {"eventId": "{record_id}", "userId": "{host}", "path": "{path}"}
    records = list(source(write(tmp_path, content), format="csv", event=event, promise={}))
    assert [r.promised is None for r in records] == [False, True, True, False]
    assert from_json(records[0].payload)["path"] == "a, b"
    assert from_json(records[3].payload)["path"] == "two\nlines"
    assert len({r.record_id for r in records}) == 4


def test_a_limit_takes_the_first_records(tmp_path):
    assert len(list(source(write(tmp_path, f"{LINE}\n" * 5), limit=2))) == 2


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b" \n", "is empty"), (b"a\0b", "is binary")])
def test_an_empty_or_binary_file_is_a_usage_error(tmp_path, content, said):
    with pytest.raises(UsageError, match=said):
        list(source(write(tmp_path, content)))


def test_a_missing_file_and_a_directory_are_usage_errors(tmp_path):
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(UsageError, match=str(path)):
            list(source(path))


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace("17/May/2015:10:05:03 +0200", "01/Jan/0001:00:00:00 +2300"),
        LINE.replace("17/May/2015:10:05:03 +0200", "31/Dec/9999:23:59:59 -2300"),
        LINE.replace("203023", "9" * 5000),
    ],
)
def test_an_apache_line_with_a_value_that_no_computer_takes_is_unmapped(tmp_path, line):
    (record,) = source(write(tmp_path, line + "\n"))
    assert (record.payload, record.malformed) == (line.encode(), "unmapped line")


@pytest.mark.parametrize(
    "document", ['{"eventId": %s, "userId": 1}' % ("9" * 5000), '{"eventId": "\\ud800", "userId": 1}', "[" * 5000]
)
def test_a_json_line_with_a_value_that_no_computer_takes_is_unmapped(tmp_path, document):
    (record,) = source(write(tmp_path, document + "\n"), format="ndjson", event=None, promise={})
    assert (record.payload, record.malformed) == (document.encode(), "unmapped line")


def test_a_csv_header_and_cells_may_be_long(tmp_path):
    wide = "c" * 200_000
    event = {"eventId": "{record_id}", "userId": f"{{{wide}}}"}
    (record,) = source(write(tmp_path, f"{wide},b\n{'x' * 300_000},2\n"), format="csv", event=event, promise={})
    assert len(from_json(record.payload)["userId"]) == 300_000


def test_a_line_that_is_too_long_is_a_malformed_record_and_is_not_held(tmp_path):
    path = tmp_path / "input"
    with path.open("wb") as file:
        file.write(LINE.encode() + b"\n")
        for _ in range(100):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + LINE.encode() + b"\n")
    tracemalloc.start()
    found = [(record.malformed, len(record.payload) > 10_000_000) for record in source(path)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [(None, False), ("unmapped line", True), (None, False)]
    assert peak < 60 << 20


def test_a_pipe_is_no_input(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is not a regular file"):
        source(tmp_path / "pipe")


def test_a_number_that_overflows_is_unmapped(tmp_path):
    document = '{"eventId": 1e999, "userId": 1}'
    (record,) = source(write(tmp_path, document + "\n"), format="ndjson", event=None, promise={})
    assert record.malformed == "unmapped line"


def test_a_record_without_a_name_has_that_of_its_line(tmp_path):
    (record,) = source(write(tmp_path, 'a,b\n"",x\n'), format="csv", event={"a": "{a}"}, promise={}, id_field="a", key_field="a")
    assert (record.record_id, record.partition_key) == ("line 2", "line 2")


def test_what_is_no_line_of_a_log_takes_no_memory(tmp_path):
    """An expression that matches a line of a megabyte needs a hundred of them."""
    long = LINE.replace('"GET', '"GET' + "x" * (1 << 20))
    assert [record.malformed for record in source(write(tmp_path, LINE + "\n" + long + "\n"))] == [None, "unmapped line"]
