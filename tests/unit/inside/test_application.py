"""What LocalStack's gateway gets of a request, and what of its answer is sent."""

from __future__ import annotations

import gzip
from types import SimpleNamespace

import pytest

from harness.inside.application import Application
from tests.unit.inside.wire import CLOSING, all_of, head_and_body, post


def answered(process):
    return Application(SimpleNamespace(process=process))


def sent(talk, request, process):
    connection = talk(answered(process))
    connection.sendall(request)
    return head_and_body(all_of(connection))


@pytest.mark.parametrize(
    ("headers", "body", "data", "form"),
    [
        (b"", b"abc", b"abc", {}),
        (b"Content-Type: application/x-amz-json-1.0\r\n", b'{"a": 1}', b'{"a": 1}', {}),
        (b"Content-Type: application/x-www-form-urlencoded\r\n", b"a=1&b=2", b"", {"a": "1", "b": "2"}),
        (b"Content-Type: Application/X-WWW-Form-urlencoded; charset=utf-8\r\n", b"a=1", b"", {"a": "1"}),
    ],
)
def test_the_body_is_data_unless_it_is_a_form(talk, headers, body, data, form):
    seen = []

    def process(request, response):
        seen.extend([request.data, dict(request.form), request.headers.get("x-own"), request.headers.getlist("X-Own")])

    sent(talk, post(body, headers + b"X-Own: a\r\nx-own: b\r\nConnection: close\r\n"), process)
    assert seen == [data, form, "a", ["a", "b"]]


def test_a_packed_body_can_be_unpacked_before_it_is_read(talk):
    seen = []

    def process(request, response):
        request.stream = gzip.GzipFile(fileobj=request.stream)
        seen.append(request.data)

    sent(talk, post(gzip.compress(b"text"), b"Content-Encoding: gzip\r\nConnection: close\r\n"), process)
    assert seen == [b"text"]


def test_headers_can_be_changed_and_the_stream_is_the_body(talk):
    seen = []

    def process(request, response):
        request.headers["X-New"] = "1"
        del request.headers["Host"]
        seen.extend([request.stream.read(), "host" in request.headers, request.headers["x-new"]])

    sent(talk, post(b"abc", b"Connection: close\r\n"), process)
    assert seen == [b"abc", False, "1"]


def test_an_answer_of_text_gets_its_length_and_is_closed_once(talk):
    closed = []

    def process(request, response):
        response.response = ["ä", b"bc"]
        response.call_on_close(lambda: closed.append(1))

    head, body = sent(talk, CLOSING, process)
    assert ("Content-Length: 4" in head, body, closed) == (True, "äbc".encode(), [1])


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (204, {"Content-Length": "3"}, set()),
        (304, {"Content-Length": "3", "ETag": "e"}, {"ETag: e"}),
        (201, {"Location": "/ä"}, {"Location: /%C3%A4", "Content-Length: 3"}),
        (500, {}, {"Content-Length: 3"}),
        (200, {"Content-Length": "3"}, {"Content-Length: 3"}),
    ],
)
def test_other_answers_are_werkzeugs(talk, status, headers, expected):
    def process(request, response):
        response.status_code, response.response = status, [b"abc"]
        response.headers.clear()
        response.headers.update(headers)

    head, body = sent(talk, CLOSING, process)
    said = {line for line in head[1:] if not line.startswith(("Date", "Connection"))}
    assert (said, body) == (expected, b"" if status in {204, 304} else b"abc")


def test_the_answer_to_head_has_no_body(talk):
    def process(request, response):
        response.response = [b"abc"]
        response.headers["Content-Length"] = "3"

    head, body = sent(talk, CLOSING.replace(b"GET", b"HEAD"), process)
    assert ("Content-Length: 3" in head, body) == (True, b"")
