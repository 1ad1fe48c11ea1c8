"""How the workers of pytest-xdist share the emulators of the process that has started them: a worker may end before the others do."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import socket
import threading
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from harness.emulator.emulator import Description
    from harness.emulator.shared import Shared

# Somebody may have come and say nothing.
_ENDS_WITHIN_S = 5


class ForWorkers:
    """Answers workers that ask for an emulator; `describe` starts it where it does not run yet. Every session with workers has one, whether it needs emulators or not."""

    def __init__(self, describe: Callable[[bool], Description]) -> None:
        self._describe = describe
        self._key = secrets.token_bytes(32)
        # A path of a Unix socket may be too long, and stays where this process is killed.
        self._listener = Listener(("127.0.0.1", 0), authkey=self._key)
        self._numbers = itertools.count(1)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="pipeproof-workers", daemon=True)
        self._thread.start()

    def invitation(self) -> tuple[int, str, int]:
        """Returns what a worker needs to ask: the port, the key in hexadecimal digits, and the worker's number."""
        return self._listener.address[1], self._key.hex(), next(self._numbers)

    def close(self) -> None:
        """Stops answering. Does nothing the second time."""
        if self._closed.is_set():
            return
        self._closed.set()
        # The thread waits for somebody to come.
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.address).close()
        self._thread.join(_ENDS_WITHIN_S)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            # Whoever finds the port and has no key, or goes away, is no worker.
            with contextlib.suppress(OSError, EOFError, AuthenticationError):
                asked = self._listener.accept()
                threading.Thread(target=self._answer, args=(asked,), name="pipeproof-worker", daemon=True).start()

    def _answer(self, asked: Connection) -> None:
        with asked, contextlib.suppress(EOFError, OSError):
            try:
                answer: object = self._describe(asked.recv())
            except Exception as error:  # noqa: BLE001 - whatever it is, the worker raises it
                answer = error
            asked.send(answer)


class OfController:
    """The emulators of the process that has started this worker; `port` and `key` are from its ForWorkers. See Emulators."""

    def __init__(self, port: int, key: str) -> None:
        self._address = "127.0.0.1", port
        self._key = bytes.fromhex(key)
        self._known: dict[bool, Description] = {}

    def shared(self, *, node: bool) -> Shared:
        """See Emulators."""
        from harness.emulator.external import External  # noqa: PLC0415
        from harness.emulator.shared import Shared  # noqa: PLC0415

        description = self.description(node=node)
        # Whether another machine may be asked, the controller has decided.
        return Shared(External(description.endpoint, allow_remote=True), description)

    def description(self, *, node: bool) -> Description:
        """See Emulators."""
        from harness.errors import UnknownVerdictError  # noqa: PLC0415

        if node not in self._known:
            try:
                with Client(self._address, authkey=self._key) as controller:
                    controller.send(node)
                    answer = controller.recv()
            except (EOFError, OSError) as error:
                raise UnknownVerdictError(f"the controller of this pytest-xdist worker does not answer: {error}") from error
            if isinstance(answer, Exception):
                raise answer
            self._known[node] = answer
        return self._known[node]
