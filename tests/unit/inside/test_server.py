"""The server in front of LocalStack, over real sockets, with applications of a few lines behind it."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading

import pytest
from localstack import config

from harness.inside import plugins
from harness.inside.application import BODY
from harness.inside.connections import is_from_outside
from harness.inside.patches.apply import PatchRefusedError
from tests.unit.inside.wire import CLOSING, GET, all_of, echo, head_and_body, post


def test_a_request_becomes_an_environment_and_an_answer_is_sent_as_it_is(talk):
    seen = {}

    def app(environ, start):
        seen.update(environ)
        start("418 I'm a teapot", [("X-Own-Case", "yes"), ("content-length", "2")])
        return [b"ab"]

    connection = talk(app)
    connection.sendall(CLOSING.replace(b"Host", b"hOsT") + b"")
    head, body = head_and_body(all_of(connection))
    assert (head[0], body) == ("HTTP/1.1 418 I'm a teapot", b"ab")
    assert {"X-Own-Case: yes", "content-length: 2", "Connection: close"} < set(head)
    assert any(line.startswith("Date: ") for line in head)
    assert seen["rolo.headers"][0] == (b"hOsT", b"there")
    expected = {"PATH_INFO": "/a b", "QUERY_STRING": "c=d", "RAW_URI": "/a%20b?c=d", "HTTP_HOST": "there", "REQUEST_METHOD": "GET"}
    assert {name: seen[name] for name in expected} == expected
    assert is_from_outside(type("Request", (), {"environ": seen}))


def test_a_target_with_scheme_and_host_is_a_path(talk):
    paths = []

    def app(environ, start):
        paths.append(environ["PATH_INFO"])
        return echo(environ, start)

    connection = talk(app)
    for target in (b"http://there/x/y?z", b"http://there", b"*"):
        method = b"OPTIONS" if target == b"*" else b"GET"
        connection.sendall(b"%b %b HTTP/1.1\r\n\r\n" % (method, target))
        connection.recv(1 << 16)
    assert paths == ["/x/y", "/", "*"]


def test_requests_of_one_connection_are_answered_in_turn_however_they_come(talk):
    connection = talk(echo)
    for byte in post(b"first"):
        connection.sendall(bytes([byte]))
    assert connection.recv(1 << 16).endswith(b"\r\n\r\nfirst")
    connection.sendall(post(b"second") + post(b"third", b"Connection: close\r\n"))
    answers = all_of(connection)
    assert answers.index(b"second") < answers.index(b"third")


def test_a_body_in_chunks_arrives_whole(talk):
    connection = talk(echo)
    connection.sendall(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n"
    )
    assert head_and_body(all_of(connection))[1] == b"abcde"


def test_a_large_body_is_a_file_and_arrives_whole(talk):
    body, files = bytes(3_000_000), []

    def app(environ, start):
        files.append(environ["wsgi.input"].fileno() > 0 and BODY not in environ)
        return echo(environ, start)

    connection = talk(app)
    sender = threading.Thread(target=connection.sendall, args=(post(body, b"Connection: close\r\n"),))
    sender.start()
    assert head_and_body(all_of(connection))[1] == body
    sender.join()
    assert files == [True]


def test_a_client_that_asks_first_is_told_to_go_on(talk):
    connection = talk(echo)
    head, body = post(b"body", b"Expect: 100-continue\r\nConnection: close\r\n").split(b"\r\n\r\n")
    connection.sendall(head + b"\r\n\r\n")
    assert connection.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.sendall(body)
    assert head_and_body(all_of(connection))[1] == b"body"


def test_half_a_body_never_reaches_the_application(talk):
    asked = []
    connection = talk(lambda environ, start: asked.append(environ) or echo(environ, start))
    connection.sendall(post(b"body")[:-1])
    connection.shutdown(socket.SHUT_WR)
    assert all_of(connection) == b""
    assert asked == []


@pytest.mark.parametrize(
    "request_", [b"\x00\x01\x02\x03\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"BREW / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_a_400_and_the_end(talk, request_):
    connection = talk(echo)
    connection.sendall(request_)
    assert all_of(connection).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_head_without_an_end_is_a_400(talk):
    connection = talk(echo)
    answers = []
    reader = threading.Thread(target=lambda: answers.append(all_of(connection)))
    reader.start()
    with contextlib.suppress(OSError):
        for _ in range(100):
            connection.sendall(b"GET / HTTP/1.1\r\nX: " if _ == 0 else b"x" * 10_000)
    reader.join(10)
    assert answers[0].startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_an_answer_without_a_length_is_streamed(talk):
    goes_on = threading.Event()

    def app(_, start):
        start("200 OK", [("Transfer-Encoding", "chunked")])
        yield b"first"
        assert goes_on.wait(10)
        yield b""
        yield b"second"

    connection = talk(app)
    connection.sendall(CLOSING)
    head, body = head_and_body(connection.recv(1 << 16))
    assert (head.count("Transfer-Encoding: chunked"), body) == (1, b"5\r\nfirst\r\n")
    goes_on.set()
    assert all_of(connection) == b"6\r\nsecond\r\n0\r\n\r\n"


def test_the_end_of_the_connection_is_that_of_a_stream_for_who_knows_no_chunks(talk):
    def app(_, start):
        start("200 OK", [])
        return iter([b"a", b"b"])

    connection = talk(app)
    connection.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    head, body = head_and_body(all_of(connection))
    assert (body, "Connection: close" in head) == (b"ab", True)


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", "200 OK"), (b"GET", "204 No Content"), (b"GET", "304 Not Modified"), (b"GET", "199 Own")]
)
def test_some_answers_have_no_body_and_the_next_request_is_answered(talk, method, status):
    def app(environ, start):
        if environ["QUERY_STRING"] == "next":
            return echo(environ, start)
        start(status, [("Content-Length", "5")] if method == b"HEAD" else [])
        return [b"12345"]

    connection = talk(app)
    connection.sendall(method + b" / HTTP/1.1\r\n\r\n" + b"POST /?next" + post(b"next", b"Connection: close\r\n")[6:])
    answers = all_of(connection)
    assert b"12345" not in answers
    assert answers.startswith(f"HTTP/1.1 {status}".encode())
    assert answers.endswith(b"\r\n\r\nnext")


def test_an_answer_shorter_than_announced_is_the_last(talk):
    def app(_, start):
        start("200 OK", [("Content-Length", "5")])
        return [b"123"]

    connection = talk(app)
    connection.sendall(GET)
    assert head_and_body(all_of(connection))[1] == b"123"


@pytest.mark.parametrize("headers", [[("X", "a\r\nY: b")], [("X", "\N{SNOWMAN}")], [("Content-Length", "many")]])
def test_an_application_that_fails_is_a_500(talk, headers):
    def app(_, start):
        start("200 OK", headers)
        return [b"x"]

    connection = talk(app)
    connection.sendall(GET)
    assert all_of(connection).startswith(b"HTTP/1.1 500 ")


def test_an_application_that_fails_in_the_middle_leaves_no_whole_answer(talk):
    def app(_, start):
        start("200 OK", [])
        yield b"begun"
        raise RuntimeError

    connection = talk(app)
    connection.sendall(GET)
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = all_of(connection)
    assert b"0\r\n\r\n" not in answer


def test_a_connection_that_is_cut_has_no_answer(talk):
    def app(environ, start):
        environ["pipeproof.connection"].cut()
        return echo(environ, start)

    connection = talk(app)
    connection.sendall(GET + GET)
    with contextlib.suppress(ConnectionError):
        assert all_of(connection) == b""


def test_the_applications_answer_is_closed_also_where_the_client_has_gone(talk):
    closed = threading.Event()

    class Endless:
        def __iter__(self):
            while True:
                yield bytes(1 << 20)

        def close(self):
            closed.set()

    def app(_, start):
        start("200 OK", [])
        return Endless()

    connection = talk(app)
    connection.sendall(GET)
    connection.recv(1)
    connection.close()
    assert closed.wait(10)


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"


@pytest.mark.parametrize("at_once", [True, False])
def test_whoever_asks_for_another_protocol_is_answered_in_this_one(talk, at_once):
    """Clients written in Java ask for HTTP/2 with each first request, which has a body."""
    connection = talk(echo)
    data = post(b"first", UPGRADE) + post(b"", UPGRADE) + post(b"last", UPGRADE + b"Connection: close\r\n")
    for piece in [data] if at_once else (data[n : n + 1] for n in range(len(data))):
        connection.sendall(piece)
    answers = all_of(connection).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert [head_and_body(answer)[1] for answer in answers] == [b"first", b"", b"last"]


def test_of_a_client_that_wants_another_server_the_first_request_is_the_last(talk):
    connection = talk(echo)
    connection.sendall(b"CONNECT there:443 HTTP/1.1\r\nHost: there:443\r\n\r\n\x16\x03\x01")
    head, _ = head_and_body(all_of(connection))
    assert (head[0], "Connection: close" in head) == ("HTTP/1.1 200 OK", True)


def test_headers_have_the_names_of_wsgi_and_those_behind_a_body_are_not_passed_on(talk):
    seen = []

    def app(environ, start):
        seen.append(environ)
        return echo(environ, start)

    connection = talk(app)
    connection.sendall(
        b"POST / HTTP/1.1\r\nContent-Type: a/b\r\nX-Two: 1\r\nx-two: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Late: 1\r\n\r\n"
        + post(b"next", b"Connection: close\r\n")
    )
    all_of(connection)
    first, second = seen
    assert (first["CONTENT_TYPE"], first["HTTP_X_TWO"], second["CONTENT_LENGTH"]) == ("a/b", "1,2", "4")
    assert b"X-Late" not in dict(first["rolo.headers"])


def test_an_answer_that_says_so_is_the_last(talk):
    def app(_, start):
        start("200 OK", [("Content-Length", "1"), ("Connection", "close")])
        return [b"x"]

    connection = talk(app)
    connection.sendall(GET + GET)
    assert all_of(connection).count(b"HTTP/1.1 200 OK") == 1


def test_an_old_client_that_wants_more_is_told_that_there_is_more(talk):
    connection = talk(echo)
    for _ in range(2):
        connection.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        head, _ = head_and_body(connection.recv(1 << 16))
        assert "Connection: keep-alive" in head


def test_an_error_after_the_beginning_of_an_answer_does_not_begin_another(talk):
    def app(_, start):
        start("200 OK", [("Content-Length", "4")])
        yield b"ab"
        try:
            int("x")
        except ValueError:
            start("500 Internal Server Error", [("Content-Length", "2")], sys.exc_info())
        yield b"cd"

    connection = talk(app)
    connection.sendall(GET)
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = all_of(connection)
    assert b"cd" not in answer


def test_behind_another_server_the_plugin_refuses_to_work(monkeypatch):
    """It could not tell who asks."""
    monkeypatch.setattr(config, "LAMBDA_RUNTIME_EXECUTOR", "pipeproof")
    monkeypatch.setattr(config, "GATEWAY_SERVER", "twisted")
    with pytest.raises(PatchRefusedError, match="GATEWAY_SERVER=pipeproof, not twisted"):
        plugins.attach()
