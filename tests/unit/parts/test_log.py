"""A person's own log, whole: its lines as records."""

from __future__ import annotations

import gzip

import pytest
from pydantic import ValidationError
from pydantic_core import from_json

from harness.errors import UsageError
from harness.parts.ports import SourceContext
from harness.parts.sources.log import BLANK, Log
from tests.loads import flat

APACHE = b'1.2.3.4 - - [17/May/2015:12:05:03 +0200] "GET /a HTTP/1.1" 200 20 "-" "curl"'


def opened(tmp_path, body, name="mine.log", records=None, **keys):
    path = tmp_path / name
    path.write_bytes(body)
    return Log.model_validate({"format": "ndjson", **keys}).open(SourceContext(1, records, path))


def test_lines_are_offered_byte_for_byte_and_blank_ones_are_to_be_dropped(tmp_path):
    body = b'\xef\xbb\xbf{"a":1}\r\n\r\n {"b":2} \n{"c":\n{"d":4}'
    mine = opened(tmp_path, body)
    records = flat(mine)
    assert [record.payload for record in records] == [b'{"a":1}', b"", b' {"b":2} ', b'{"c":', b'{"d":4}']
    assert [record.filtered for record in records] == [None, BLANK, None, None, None]
    assert [record.malformed for record in records] == [None, None, None, "unmapped line", None]
    assert from_json(records[2].promised) == {"b": 2}
    (file,) = mine.units()
    assert b"".join(file.parts()) == body
    assert [place for _, place in file.places()] == [1, 2, 3, 4, 5]
    assert file.name == "input/mine.log"


def test_a_promise_is_filled_with_the_fields_of_the_line(tmp_path):
    keys = {"format": "apache_combined", "promise": {"at": "{time}", "of": {"status": "{status}"}, "line": "{line_number}"}}
    first, second = flat(opened(tmp_path, APACHE + b"\n" + APACHE[:-3], **keys))
    assert from_json(first.promised) == {"at": "2015-05-17T10:05:03Z", "of": {"status": 200}, "line": 1}
    assert (second.promised, second.payload) == (None, APACHE[:-3])
    whole = {"promise": {"event": "{document}"}}
    assert from_json(flat(opened(tmp_path, b'{"a":1}', **whole))[0].promised) == {"event": {"a": 1}}


def test_lines_that_are_equal_are_different_records(tmp_path):
    assert len({record.record_id for record in flat(opened(tmp_path, b'{"a":1}\n' * 3))}) == 3


def test_a_packed_file_is_uploaded_as_it_is_and_a_part_of_it_is_packed_again(tmp_path):
    packed = gzip.compress(b'{"a":1}\n{"b":2}\n')
    mine = opened(tmp_path, packed, "mine.json.gz")
    (file,) = mine.units()
    assert b"".join(file.parts()) == packed
    assert [record.payload for record in flat(mine)] == [b'{"a":1}', b'{"b":2}']
    (part,) = opened(tmp_path, packed, "mine.json.gz", records=1).units()
    assert gzip.decompress(b"".join(part.parts())) == b'{"a":1}\n'


@pytest.mark.parametrize(
    ("body", "name", "said"),
    [
        (b"", "mine.log", "no line that is not blank"),
        (b"\n \n", "mine.log", "no line that is not blank"),
        (b"a\0b\n", "mine.log", "is binary"),
        (b"x" * (10 << 20) + b"xx", "mine.log", "mine.log:1: the line has more than"),
        (b"plain", "mine.log.gz", "mine.log.gz: Not a gzipped file"),
        (gzip.compress(b"a\n" * 1000, mtime=0)[:-9], "mine.log.gz", "mine.log.gz: Compressed file ended"),
    ],
)
def test_a_file_that_is_no_log_is_refused_before_anything_starts(tmp_path, body, name, said):
    with pytest.raises(UsageError, match=said):
        opened(tmp_path, body, name)


def test_a_promise_names_fields_that_a_line_has():
    with pytest.raises(ValidationError, match="no field who; there is host"):
        Log.model_validate({"format": "apache_combined", "promise": {"a": "{who}"}})
    with pytest.raises(ValidationError, match="promise: needed"):
        Log.model_validate({"format": "apache_combined"})
