"""The Lambda Runtime API (2018-06-01) of one execution environment, on its own loopback port.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. AWS's runtime interface clients and every custom
`bootstrap` speak it: they ask for the next invocation, and post its response or its error.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harness.inside import connections, server
from harness.inside.lambda_.errors import MAX_PAYLOAD_BYTES, response_too_large

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_PREFIX = "/2018-06-01/runtime"
_LOOPBACK = {"127.0.0.1", "localhost"}
_OF_A_BROWSER = ("HTTP_ORIGIN", "HTTP_REFERER", "HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_DEST", "HTTP_SEC_FETCH_USER")
_BACKLOG = 128


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
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=server.accept, args=(self._listener, self._answer, None), name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        """Returns host:port, the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._port}"

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
        server.stop_listening(self._listener)

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

    def _answer(self, environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answers a request of the runtime (PEP 3333)."""
        if not _is_of_a_runtime(environ):
            # Only the runtime asks here. A web page may find the port, too.
            return _answered(start, HTTPStatus.FORBIDDEN, headers=(("Connection", "close"),))
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "GET" and path == f"{_PREFIX}/invocation/next":
            return self._next(environ, start)
        if environ["REQUEST_METHOD"] != "POST":
            return _answered(start, HTTPStatus.NOT_FOUND)
        body = environ["wsgi.input"].read()
        match path.removeprefix(_PREFIX).strip("/").split("/"):
            case ["init", "error"]:
                self.fail_init(Reply(body, is_error=True))
                return _answered(start, HTTPStatus.ACCEPTED)
            case ["invocation", request_id, "response"] if len(body) > MAX_PAYLOAD_BYTES:
                self.settle(request_id, Reply(response_too_large(len(body)), is_error=True))
                return _answered(start, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            case ["invocation", request_id, ("response" | "error") as kind]:
                known = self.settle(request_id, Reply(body, is_error=kind == "error"))
                return _answered(start, HTTPStatus.ACCEPTED if known else HTTPStatus.BAD_REQUEST)
        return _answered(start, HTTPStatus.NOT_FOUND)

    def _next(self, environ: Mapping[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        invocation = self.take_next()
        if invocation is None:
            connections.of(environ).cut()
            return ()
        headers = (
            ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn),
            ("Lambda-Runtime-Trace-Id", invocation.trace_id),
        )
        return _answered(start, HTTPStatus.OK, invocation.payload, headers)


def _is_of_a_runtime(environ: Mapping[str, Any]) -> bool:
    # Of a header that comes twice, all values.
    hosts = {host.lower().partition(":")[0] for host in environ.get("HTTP_HOST", "").split(",") if host}
    return hosts <= _LOOPBACK and not any(environ.get(name) for name in _OF_A_BROWSER)


def _answered(
    start: Callable[..., Any], status: HTTPStatus, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()
) -> list[bytes]:
    said = ("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers
    start(f"{status.value} {status.phrase}", list(said))
    return [body]
