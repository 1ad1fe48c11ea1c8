"""`python -m harness.inside.door HOST PORT`: the only way into a container emulator, in a container beside it.

The emulator's network has no way out, so that no port of it can be published. This process is in that network and in another one, listens on PORT of
all its interfaces, and passes bytes to PORT of HOST and back. With PIPEPROOF_LIFELINE_FD it ends with whoever holds the other end.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import threading

_CONNECTS_WITHIN_S = 10
# An emulator that is removed says nothing any more: after some 10 s its connections are cut.
_KEEPALIVE = {socket.TCP_KEEPIDLE: 4, socket.TCP_KEEPINTVL: 2, socket.TCP_KEEPCNT: 3}


class _Side(asyncio.Protocol):
    """One of two connections: what comes is written to the other one, which ends as this one does."""

    def __init__(self, other: _Side | None = None) -> None:
        self.other = other
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        assert self.other.transport is not None
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        if self.other is not None and self.other.transport is not None and self.other.transport.can_write_eof():
            self.other.transport.write_eof()
        # The other direction goes on.
        return True

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is None or self.other.transport is None:
            return
        if error is not None:
            # A connection that was cut is cut on the other side too.
            _cut(self.other.transport)
        else:
            self.other.transport.close()


def _cut(transport: asyncio.Transport) -> None:
    """Ends a connection with a reset, not as if all had been said."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class _Outer(_Side):
    """A connection from outside; the one to the emulator is made for it."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._host, self._port = host, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self.transport.pause_reading()
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        assert self.transport is not None
        inner = _Side(self)
        try:
            async with asyncio.timeout(_CONNECTS_WITHIN_S):
                made, _ = await asyncio.get_running_loop().create_connection(lambda: inner, self._host, self._port)
            for name, value in _KEEPALIVE.items():
                made.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, name, value)
            made.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError:
            _cut(self.transport)
            return
        self.other = inner
        if self.transport.is_closing():
            assert inner.transport is not None
            _cut(inner.transport)
            return
        self.transport.resume_reading()


async def _serve(host: str, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Outer(host, port), "0.0.0.0", port, backlog=1024)
    await server.serve_forever()


def _hold_lifeline(fd: int) -> None:
    while os.read(fd, 1):
        pass
    os._exit(0)


def main() -> None:
    lifeline = os.environ.get("PIPEPROOF_LIFELINE_FD", "")
    if lifeline:
        threading.Thread(target=_hold_lifeline, args=(int(lifeline),), name="lifeline", daemon=True).start()
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2])))


if __name__ == "__main__":
    main()
