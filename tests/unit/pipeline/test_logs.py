"""Logs: times of all kinds, lines that are too long, and reading on within a file."""

from __future__ import annotations

import gzip
import hashlib
import io
import json

import pytest

from pipeline.files.uploads import Upload
from pipeline.logs import files
from pipeline.logs.lines import MAX_LINE_BYTES, Place, lines
from pipeline.logs.transforms import Malformed, normalise
from tests import loads


@pytest.mark.parametrize(
    ("time", "written"),
    [
        ("2025-05-17T10:05:03Z", "2025-05-17T10:05:03Z"),
        ("2025-05-17T12:05:03.678+02:00", "2025-05-17T10:05:03.678000Z"),
        ("2025-05-17 10:05:03,678", "2025-05-17T10:05:03.678000Z"),
        ("2025-01-01T00:30:00+01:00", "2024-12-31T23:30:00Z"),
        (1747476303, "2025-05-17T10:05:03Z"),
        (1747476303.678, "2025-05-17T10:05:03.678000Z"),
        (1747476303678, "2025-05-17T10:05:03.678000Z"),
        (1747476303678123, "2025-05-17T10:05:03.678123Z"),
        (1747476303678123999, "2025-05-17T10:05:03.678123Z"),
        (0, "1970-01-01T00:00:00Z"),
        (None, None),
    ],
)
def test_a_time_is_written_in_utc_whatever_its_form(time, written):
    assert normalise(json.dumps({"ts": time}).encode()).timestamp == written


@pytest.mark.parametrize("time", ["yesterday", "2025-02-30T12:00:00Z", "", True, [], "9999-12-31T23:59:59-14:00", 10**30])
def test_a_time_that_no_clock_shows_makes_the_line_malformed(time):
    found = normalise(json.dumps({"timestamp": time}).encode())
    assert isinstance(found, Malformed)
    assert found.error == "InvalidTimestamp"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"a":1e999}', "InvalidJson"),
        (b'{"level":' + b"1" * 250 + b"e99}", "InvalidJson"),
        (b'{"message":' + b"[" * 200 + b"]" * 200 + b"}", "InvalidJson"),
        (b'{"a":NaN}', "InvalidJson"),
        (b'{"a":"\\ud800"}', "InvalidJson"),
        (b'{"a":1', "InvalidJson"),
        (b"[1]", "UnknownFormat"),
        (b"\xff", "InvalidUtf8"),
        (b'1.1.1.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 20 "-" "Mozilla', "UnknownFormat"),
        (b'1.1.1.1 - - [31/Feb/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 20', "InvalidTimestamp"),
    ],
)
def test_a_malformed_line_is_named(line, error):
    assert normalise(line).error == error


@pytest.mark.parametrize(("more", "held"), [(0, True), (1, False), (5_000_000, False)])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_that_is_too_long_is_not_held_but_its_place_is_known(more, held, end):
    length = MAX_LINE_BYTES + more
    body = b"a\n" + b"x" * length + end + (b"b\n" if end else b"")
    parts = (body[start : start + 100_000] for start in range(0, len(body), 100_000))
    long = list(lines(parts, Place()))[1]
    assert (long.number, long.offset, long.length, long.content is not None) == (2, 2, length, held)


class Bucket:
    """One object, read as S3 gives it."""

    def __init__(self, body):
        self.body = body

    def get_object(self, Range=None, **_):  # noqa: N803 - as boto3 has it
        start = int(Range.removeprefix("bytes=").rstrip("-")) if Range else 0
        return {"Body": io.BytesIO(self.body[start:])}


@pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
def test_a_file_is_read_from_any_place_on_plain_or_packed(name):
    body = bytes(range(256)) * 20_000
    bucket = Bucket(gzip.compress(body) if name.endswith(".gz") else body)
    read = files.read(bucket, Upload("b", name, "v"), 3_000_001, 1_500_000)
    assert b"".join(read) == body[3_000_001:4_500_001]
    assert b"".join(files.read(bucket, Upload("b", name, "v"))) == body


def test_the_same_seed_makes_the_same_lines_as_ever_and_only_healthy_ones_are_promised():
    records = loads.flat(loads.files("logs", 1, 700, number=7, share=0.2))
    digest = hashlib.sha256(b"\n".join(record.payload for record in records)).hexdigest()
    assert digest == "b328444ae67fc0ba190a8ea827c2d3f617590dfbd2f5f078083250ec53b2d845"
    for record in records:
        kinds = [record.promised is not None, record.malformed is not None, record.filtered is not None]
        assert kinds.count(True) == 1
    assert {record.malformed for record in records} - {None} == set(loads.module("logs").KINDS)


def test_packed_files_hold_the_lines_that_they_promise_and_spoilt_ones_nothing_that_may_be_stored():
    made = loads.files("logs", 1, 800, number=8, file_faults=("empty_file", "not_gzip", "cut_off_gzip"))
    packed = 0
    for file in made.units():
        body, spoilt = b"".join(file.parts()), {record.malformed for record in file.records()} - {None}
        if spoilt:
            assert not any(record.promised or record.filtered for record in file.records())
        elif file.name.endswith(".gz"):
            packed += 1
            lines_there = [line.content for line in lines([gzip.decompress(body)], Place())]
            assert lines_there == [record.payload for record in file.records()]
    assert packed
