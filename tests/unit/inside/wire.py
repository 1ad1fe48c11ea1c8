"""HTTP as it goes over a connection: requests, answers, and an application."""

from __future__ import annotations

GET = b"GET /a%20b?c=d HTTP/1.1\r\nHost: there\r\n\r\n"
CLOSING = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def all_of(connection):
    """What comes until the connection ends."""
    found = b""
    while data := connection.recv(1 << 16):
        found += data
    return found


def head_and_body(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode().split("\r\n"), body


def echo(environ, start):
    """Answers with the body of the request."""
    body = environ["wsgi.input"].read()
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def post(body, more=b""):
    return b"POST / HTTP/1.1\r\nContent-Length: %d\r\n%b\r\n" % (len(body), more) + body


class TcpLike:
    """A socket of a pair, with the address and the option that those of TCP have."""

    def __init__(self, pair):
        self._pair = pair

    def getsockname(self):
        return ("127.0.0.1", 4566)

    def setsockopt(self, *_):
        pass

    def __getattr__(self, name):
        return getattr(self._pair, name)
