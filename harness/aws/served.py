"""Paged APIs for pipelines on AWS: this process serves them on a loopback port, to which the user's own tunnel or proxy leads."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from harness.errors import UsageError
from harness.served import PATH, Apis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_IDLE_S = 60


class ServedHere:
    """The APIs of one account. `url` is where AWS reaches what listens on `port` here."""

    def __init__(self, url: str, port: int, account: str) -> None:
        self.url = url.rstrip("/")
        self._port = port
        self._account = account
        self._apis = Apis()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Listens, where it does not yet. Raises UsageError where the port is taken."""
        if self._server is not None:
            return
        served = self._apis

        class Handler(_Handler):
            apis = served

        try:
            self._server = _Server(("127.0.0.1", self._port), Handler)
        except OSError as error:
            raise UsageError(f"--served-port {self._port}: {error.strerror}") from error
        threading.Thread(target=self._server.serve_forever, name="served", daemon=True).start()

    def stop(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def make(self, name: str, made: Mapping[str, Any]) -> None:
        """See ServedApis."""
        self._apis.make(self._account, name, made)

    def add(self, name: str, records: Sequence[tuple[str, bool]]) -> None:
        """See ServedApis."""
        self._apis.add(self._account, name, records)

    def told(self, name: str, first: int = 0) -> dict[str, Any]:
        """See ServedApis."""
        api = self._apis.api(self._account, name)
        assert api is not None
        return api.told(first)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Says nothing: who fetches may leave at any time, and the terminal shows the run."""


class _Handler(BaseHTTPRequestHandler):
    apis: Apis
    timeout = _IDLE_S

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        base, _, name = path.rpartition("/")
        root, _, account = base.rpartition("/")
        given = {key: values[0] for key, values in parse_qs(query).items()}
        # A proxy may have put a path before it.
        account = account if root.endswith(PATH) else ""
        answered = self.apis.answer(
            account, name, self.headers.get("x-api-key", ""), given.get("cursor", ""), given.get("limit", "")
        )
        self.send_response(answered.status)
        for key, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(answered.body)),
            **answered.headers,
        }.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(answered.body)
        self.apis.served(account, name, answered)

    def log_message(self, *_: Any) -> None:
        """Says nothing: the terminal shows the run."""
