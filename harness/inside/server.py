"""The HTTP server in front of LocalStack: a thread for each connection, and llhttp's parser (GATEWAY_SERVER=pipeproof).

Of a small request LocalStack's own server, Twisted, takes four fifths of the time. What it does is kept: a request is passed on when its whole body is
there, names of headers keep their case, an answer without a length is streamed in chunks, and TLS is spoken on the same port.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import logging
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
from collections import deque
from email.utils import formatdate
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import httptools
from localstack.runtime.server.core import RuntimeServer

from harness.inside.application import BODY, EACH_ONCE, HEADERS, Application
from harness.inside.connections import remember

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localstack.config import HostAndPort
    from rolo.gateway import Gateway

    App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

LOG = logging.getLogger(__name__)

_BACKLOG = 1024
_READ = 1 << 18
_IN_MEMORY = 1 << 20
# What a piece takes besides its bytes: a body may come in many.
_OF_A_PIECE = 64
_MOST_OF_A_HEAD = 1 << 17
_TLS_HANDSHAKE = b"\x16"
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_EXPECT = b"expect"
# Of a request that asks for another protocol. What it expects is sent by then.
_ANSWERED_OR_REFUSED = {b"upgrade", _EXPECT}
_FAILED = "500 Internal Server Error"
# Those of one connection, which are this server's to say.
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding"}


class PipeproofServer(RuntimeServer):  # type: ignore[misc]
    """Serves LocalStack's gateway until `shutdown`."""

    def __init__(self) -> None:
        self._listeners: list[socket.socket] = []
        self._serve: list[Callable[[], None]] = []
        self._ended = threading.Event()

    def register(self, gateway: Gateway, listen: list[HostAndPort], ssl_creds: tuple[str, str] | None = None) -> None:
        """Listens. Raises OSError where an address is taken."""
        tls = None
        if ssl_creds:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(*ssl_creds)
        for address in listen:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            listener = socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
            self._listeners.append(listener)
            self._serve.append(functools.partial(accept, listener, Application(gateway), tls))

    def run(self) -> None:
        for number, serve in enumerate(self._serve):
            threading.Thread(target=serve, name=f"listener-{number}", daemon=True).start()
        self._ended.wait()

    def shutdown(self) -> None:
        self._ended.set()
        for listener in self._listeners:
            stop_listening(listener)


def stop_listening(listener: socket.socket) -> None:
    """Ends the thread that accepts there, too."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def accept(listener: socket.socket, app: App, tls: ssl.SSLContext | None) -> None:
    """Serves an application until the listener is stopped: a thread for each connection."""
    while True:
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EBADF, errno.EINVAL}:
                # It listens no more.
                return
            # Too many open files, or a client that has gone already: the next one may do.
            LOG.exception("a connection could not be accepted")
            time.sleep(0.1)
            continue
        connection = Connection(accepted, address[:2], app, tls)
        threading.Thread(target=connection.serve, name=f"connection-{address[1]}", daemon=True).start()


class _Request:
    """What has come of a request."""

    def __init__(self) -> None:
        self.method = ""
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.version = "1.1"
        self.keeps_alive = False
        self.pieces: list[bytes] = []
        self.in_memory = 0
        self.body: IO[bytes] | None = None
        self.asks_first = False
        self.has_head = False
        self.is_whole = False


class Connection:
    """A connection, and the requests that come on it one after the other."""

    def __init__(self, accepted: socket.socket, client: tuple[str, int], app: App, tls: ssl.SSLContext | None) -> None:
        self._socket = accepted
        self._client = client
        self._app = app
        self._tls = tls
        self._parser = httptools.HttpRequestParser(self)
        self._requests: deque[_Request] = deque()
        self._of_head = 0
        self._constant: dict[str, Any] = {}

    def serve(self) -> None:
        """Answers requests until the client, or an answer, ends the connection."""
        try:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None and self._socket.recv(1, socket.MSG_PEEK) == _TLS_HANDSHAKE:
                    self._socket = self._tls.wrap_socket(self._socket, server_side=True)
                self._constant = _of_connection(self._client, self._socket)
                remember(self._constant, self)
                while (request := self._next()) is not None and self._answer(request):
                    pass
        finally:
            self._close()

    def cut(self) -> None:
        """Ends the connection with a reset: the client sees it closed without an answer. Called by the thread that answers, whose next write fails."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _close(self) -> None:
        for request in self._requests:
            if request.body is not None:
                request.body.close()
        with contextlib.suppress(OSError):
            # What the client still sends would make a reset of the end, and it would not see the answer.
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.settimeout(1)
            while self._socket.recv(_READ):
                pass
        self._socket.close()

    def _next(self) -> _Request | None:
        """Returns the next request when its body is there. None where the client ended the connection, or sent something other than HTTP."""
        while not (self._requests and self._requests[0].is_whole):
            data = self._socket.recv(_READ)
            if not data:
                return None
            in_head = bool(self._requests) and not self._requests[-1].has_head
            self._of_head = self._of_head + len(data) if in_head else 0
            if self._of_head > _MOST_OF_A_HEAD:
                self._socket.sendall(_BAD_REQUEST)
                return None
            try:
                self._feed(data)
            except httptools.HttpParserError:
                self._socket.sendall(_BAD_REQUEST)
                return None
        return self._requests.popleft()

    def _feed(self, data: bytes) -> None:
        """Gives data to the parser. A request that asks for another protocol is read as if it did not: the parser would take its body for that protocol.

        https://www.rfc-editor.org/rfc/rfc9110#section-7.8"""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            asked = self._requests[-1]
            if asked.method == "CONNECT":
                # What follows is for another server: this is the last request.
                asked.keeps_alive = False
                return
            self._requests.pop()
            self._parser = httptools.HttpRequestParser(self)
            lines = [b"%b: %b" % header for header in asked.headers if header[0].lower() not in _ANSWERED_OR_REFUSED]
            target = b"%b %b HTTP/%b" % (asked.method.encode(), asked.url, asked.version.encode())
            self._feed(b"\r\n".join([target, *lines, b"\r\n"]))
            self._feed(data[upgrade.args[0] :])

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._requests.append(_Request())

    def on_url(self, url: bytes) -> None:
        self._requests[-1].url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        request = self._requests[-1]
        if not request.has_head:
            # Those behind a body in chunks are not passed on.
            request.headers.append((name, value))
            if len(name) == len(_EXPECT) and name.lower() == _EXPECT:
                request.asks_first = value.lower() == b"100-continue"

    def on_headers_complete(self) -> None:
        request = self._requests[-1]
        request.has_head = True
        request.method = self._parser.get_method().decode("latin-1")
        request.version = self._parser.get_http_version()
        request.keeps_alive = self._parser.should_keep_alive()
        if request.asks_first:
            self._socket.sendall(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        request = self._requests[-1]
        if request.body is not None:
            request.body.write(body)
            return
        request.pieces.append(body)
        request.in_memory += len(body) + _OF_A_PIECE
        if request.in_memory > _IN_MEMORY:
            request.body = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its request
            request.body.writelines(request.pieces)
            request.pieces.clear()

    def on_message_complete(self) -> None:
        request = self._requests[-1]
        request.is_whole = True
        if request.body is not None:
            request.body.seek(0)

    def _answer(self, request: _Request) -> bool:
        """Answers a request. Returns whether another one may follow."""
        answer = _Answer(request, self._socket)
        try:
            self._pass_on(request, answer)
        except OSError:
            raise
        except Exception:
            LOG.exception("a request could not be answered")
            if answer.is_begun:
                # The client has to see that the answer is not whole.
                self.cut()
            else:
                answer.fail()
        finally:
            if request.body is not None:
                request.body.close()
        return answer.end()

    def _pass_on(self, request: _Request, answer: _Answer) -> None:
        chunks = self._app(_environment(request, self._constant), answer.start)
        try:
            for chunk in chunks:
                answer.write(chunk)
        finally:
            if (close := getattr(chunks, "close", None)) is not None:
                close()


def _of_connection(client: tuple[str, int], own: socket.socket) -> dict[str, Any]:
    """Returns what all requests of a connection have in their environments."""
    host, port = own.getsockname()[:2]
    return {
        "SCRIPT_NAME": "",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if isinstance(own, ssl.SSLSocket) else "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        EACH_ONCE: True,
    }


def _environment(request: _Request, constant: dict[str, Any]) -> dict[str, Any]:
    """Returns a WSGI environment (PEP 3333), with what rolo wants besides."""
    url = request.url
    if not url.startswith((b"/", b"*")):
        # As a client writes to a proxy, with scheme and host: https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
        url = b"/" + url.partition(b"://")[2].partition(b"/")[2]
    path, _, query = url.partition(b"?")
    uri = request.url.decode("utf-8", "replace")
    environ: dict[str, Any] = {
        **constant,
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "REQUEST_URI": uri,
        "RAW_URI": uri,
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "rolo.headers": request.headers,
    }
    headers = environ[HEADERS] = []
    for raw_name, raw_value in request.headers:
        name, variable = _name(raw_name)
        value = raw_value.decode("latin-1")
        headers.append((name, value))
        # With an underscore, a header has the variable of another one.
        if variable in environ or "_" in name:
            environ[EACH_ONCE] = False
        environ[variable] = f"{environ[variable]},{value}" if variable in environ else value
    if request.body is None:
        body = environ[BODY] = b"".join(request.pieces)
        environ["wsgi.input"] = io.BytesIO(body)
    else:
        environ["wsgi.input"] = request.body
    return environ


@functools.lru_cache(maxsize=256)
def _name(header: bytes) -> tuple[str, str]:
    """Returns the name of a header, and that of its variable."""
    name = header.decode("latin-1")
    variable = name.upper().replace("-", "_")
    return name, variable if variable in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{variable}"


class _Answer:
    """Writes an answer. Its head is sent with the first piece of its body."""

    def __init__(self, request: _Request, to: socket.socket) -> None:
        self._request = request
        self._socket = to
        self._head = b""
        self._in_chunks = False
        self._without_body = False
        self._left: int | None = None
        self._keeps_alive = request.keeps_alive
        self.is_begun = False

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        """WSGI's start_response."""
        if exc_info is not None and self.is_begun:
            raise exc_info[1]
        given = {name.lower(): value for name, value in headers}
        code = int(status[:3])
        self._without_body = self._request.method == "HEAD" or code in {204, 304} or code < 200
        length = None if self._without_body else given.get("content-length")
        self._left = None if length is None else int(length)
        self._in_chunks = not self._without_body and length is None and self._request.version != "1.0"
        ends_where_it_ends = not self._without_body and length is None and not self._in_chunks
        if ends_where_it_ends or given.get("connection", "").lower() == "close":
            self._keeps_alive = False
        lines = [f"HTTP/1.1 {status}"]
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in _OF_THE_CONNECTION]
        lines += [] if "date" in given else [f"Date: {_date(int(time.time()))}"]
        lines += ["Transfer-Encoding: chunked"] if self._in_chunks else []
        lines += self._says_whether_it_goes_on()
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header has a line break")
        self._head = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
        return self.write

    def _says_whether_it_goes_on(self) -> list[str]:
        if not self._keeps_alive:
            return ["Connection: close"]
        return ["Connection: keep-alive"] if self._request.version == "1.0" else []

    def write(self, piece: bytes) -> None:
        """Sends a piece of the body."""
        if not piece:
            return
        if self._without_body:
            piece = b""
        elif self._in_chunks:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        elif self._left is not None:
            self._left -= len(piece)
        self._send(piece)

    def fail(self) -> None:
        """The application has no answer."""
        self.start(_FAILED, [("Content-Length", "0")])
        self._keeps_alive = False

    def end(self) -> bool:
        """Sends what is left to send. Returns whether the connection may go on."""
        self._send(b"0\r\n\r\n" if self._in_chunks else b"")
        # With fewer bytes than were announced, the next answer would be taken for the rest.
        return self._keeps_alive and not self._left

    def _send(self, piece: bytes) -> None:
        if not self.is_begun:
            self.is_begun = True
            piece = self._head + piece
        if piece:
            self._socket.sendall(piece)


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
