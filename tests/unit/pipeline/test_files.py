"""What the systems that take files share: uploads, headers, lines."""

from __future__ import annotations

import pytest

from pipeline.files.failed_files import FileRejectedError
from pipeline.files.rows import MAX_ROW_BYTES, check_header, lines
from pipeline.files.uploads import Upload, uploads
from pipeline.orders.transforms import COLUMNS

HEADER = ",".join(COLUMNS).encode()


def test_a_key_is_decoded_as_a_form_is_and_each_version_is_an_upload_of_its_own():
    event = {
        "Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "input/a+%2B1+%C3%A9.csv", "versionId": v}}} for v in "12"]
    }
    first, second = uploads(event)
    assert first == Upload("b", "input/a +1 é.csv", "1")
    assert first.id == "input/a%20%2B1%20%C3%A9.csv@1"
    assert first.run != second.run
    assert first.run.startswith("a-1-")


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
def test_a_file_that_does_not_begin_with_the_header_is_rejected_with_the_reason(line, said):
    with pytest.raises(FileRejectedError, match=said):
        check_header(line, COLUMNS)


@pytest.mark.parametrize("line", [HEADER, HEADER + b"\r", b"\xef\xbb\xbf" + HEADER, HEADER.replace(b"Country", b'"Country"')])
def test_a_header_may_have_what_editors_add(line):
    check_header(line, COLUMNS)


def test_a_line_that_is_too_long_is_no_row_wherever_it_stands():
    with pytest.raises(FileRejectedError):
        list(lines([b"a\n" + b"x" * (MAX_ROW_BYTES + 1) + b"\nb\n"]))
