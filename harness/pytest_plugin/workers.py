"""How the workers of pytest-xdist share the emulators of the process that has started them: a worker may end before the others do."""

from __future__ import annotations

import contextlib
import secrets
import threading
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from harness.emulator.emulator import Description
    from harness.emulator.shared import Shared


class ForWorkers:
    """Answers workers that ask for an emulator; `describe` starts it where it does not run yet. Every session with workers has one, whether it needs emulators or not."""

    def __init__(self, describe: Callable[[bool], Description]) -> None:
        self._describe = describe
        self._key = secrets.token_bytes(32)
        self._listener = Listener(family="AF_UNIX", authkey=self._key)
        threading.Thread(target=self._accept, name="pipeproof-workers", daemon=True).start()

    @property
    def address(self) -> tuple[str, str]:
        """Returns what a worker needs to ask: where, and the key in hexadecimal digits."""
        return str(self._listener.address), self._key.hex()

    def close(self) -> None:
        """Answers nobody any more."""
        self._listener.close()

    def _accept(self) -> None:
        # Closed, it accepts nothing more.
        with contextlib.suppress(OSError):
            while True:
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
    """The emulators of the process that has started this worker; `address` and `key` are from its ForWorkers. See Emulators."""

    def __init__(self, address: str, key: str) -> None:
        self._address = address
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
