"""The Lambda Runtime API (2018-06-01) of one execution environment, on its own loopback port.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. AWS's runtime interface clients and every custom
`bootstrap` speak it: they ask for the next invocation, and post its response or its error.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from harness.inside.lambda_.errors import MAX_PAYLOAD_BYTES, response_too_large

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX = "/2018-06-01/runtime"
_LOOPBACK = {"127.0.0.1", "localhost"}
_OF_A_BROWSER = ("Origin", "Referer", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-User")


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the runtime is given. `deadline_ms`: milliseconds since the epoch."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What the runtime, or the service in its place, answers."""

    payload: bytes
    is_error: bool


class RuntimeApi:
    """Serves one runtime process at a time; `reset` makes it ready for the next one.

    All waiting is on one condition: for the runtime to ask for work, for the executor to give it, for the reply."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._generation = 0
        self._closed = False
        self._asks = False
        self._pending: Invocation | None = None
        self._current: Invocation | None = None
        self._taken_at: float | None = None
        self._reply: Reply | None = None
        self._init_error: Reply | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """Returns host:port, the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_port}"

    def ready(self) -> bool:
        """Returns whether the runtime has finished its init and asks for work."""
        return self._asks

    def replied(self) -> bool:
        """Returns whether the runtime has answered the invocation."""
        return self._reply is not None

    @property
    def taken_at(self) -> float | None:
        """Returns when the runtime took the invocation (of `time.monotonic`); None until then."""
        return self._taken_at

    @property
    def init_error(self) -> Reply | None:
        return self._init_error

    @property
    def reply(self) -> Reply | None:
        return self._reply

    def reset(self) -> None:
        """Forgets the previous runtime process; its open requests end."""
        with self._changed:
            self._generation += 1
            self._asks = False
            self._pending = self._current = self._reply = self._init_error = self._taken_at = None
            self._changed.notify_all()

    def submit(self, invocation: Invocation) -> None:
        """Gives the runtime its next invocation."""
        with self._changed:
            self._reply = self._taken_at = None
            self._pending = invocation
            self._changed.notify_all()

    def wait(self, for_what: Callable[[], bool], timeout_s: float) -> bool:
        """Waits for `ready` or `replied`, at most this long; a failed init ends the wait. Says whether it came."""
        with self._changed:
            self._changed.wait_for(lambda: for_what() or self._init_error is not None or self._closed, timeout_s)
            return for_what()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def take_next(self) -> Invocation | None:
        """Blocks until there is work, and returns it; None where the environment ended. The runtime's GET …/next calls this."""
        with self._changed:
            generation = self._generation
            self._asks = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or generation != self._generation or self._pending is not None)
            if self._closed or generation != self._generation:
                return None
            self._asks = False
            self._current, self._pending = self._pending, None
            self._taken_at = time.monotonic()
            return self._current

    def settle(self, request_id: str, reply: Reply) -> bool:
        """Notes the runtime's POST …/response or …/error. Returns False where that invocation is not the current one."""
        with self._changed:
            if self._current is None or self._current.request_id != request_id:
                return False
            self._current = None
            self._reply = reply
            self._changed.notify_all()
            return True

    def fail_init(self, reply: Reply) -> None:
        """Notes the runtime's POST …/init/error."""
        with self._changed:
            self._init_error = reply
            self._changed.notify_all()


def _handler_for(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - the routes of one small API
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # The reply's head and body leave in one segment: no Nagle delay on the path of every invocation.
        wbufsize = -1
        disable_nagle_algorithm = True

        def parse_request(self) -> bool:
            if not super().parse_request():
                return False
            hosts = {host.lower().partition(":")[0] for host in self.headers.get_all("Host", ())}
            if hosts <= _LOOPBACK and not any(self.headers.get(name) for name in _OF_A_BROWSER):
                return True
            # Only the runtime asks here. A web page may find the port, too.
            self.close_connection = True
            self._answer(HTTPStatus.FORBIDDEN)
            return False

        def do_GET(self) -> None:
            if self.path != f"{_PREFIX}/invocation/next":
                self._answer(HTTPStatus.NOT_FOUND)
                return
            invocation = api.take_next()
            if invocation is None:
                self.close_connection = True
                return
            self._answer(
                HTTPStatus.OK,
                invocation.payload,
                {
                    "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                    "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                    "Lambda-Runtime-Trace-Id": invocation.trace_id,
                },
            )

        def do_POST(self) -> None:
            body = self._body()
            match self.path.removeprefix(_PREFIX).strip("/").split("/"):
                case ["init", "error"]:
                    api.fail_init(Reply(body, is_error=True))
                    self._answer(HTTPStatus.ACCEPTED)
                case ["invocation", request_id, "response"] if len(body) > MAX_PAYLOAD_BYTES:
                    api.settle(request_id, Reply(response_too_large(len(body)), is_error=True))
                    self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                case ["invocation", request_id, ("response" | "error") as kind]:
                    known = api.settle(request_id, Reply(body, is_error=kind == "error"))
                    self._answer(HTTPStatus.ACCEPTED if known else HTTPStatus.BAD_REQUEST)
                case _:
                    self._answer(HTTPStatus.NOT_FOUND)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            chunks = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(chunks)

        def _answer(self, status: HTTPStatus, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            """Writes nothing: LocalStack logs every invocation."""

    return Handler
