"""The door of a container emulator: bytes go both ways, and a connection ends on one side as it does on the other."""

import asyncio
import contextlib
import socket
import struct

import pytest

from harness.inside.door import _Outer


@contextlib.asynccontextmanager
async def door_to(port):
    """A port of this machine that leads to another one. At the end every connection through it is closed."""
    outers = []

    def outer():
        outers.append(_Outer("127.0.0.1", port))
        return outers[-1]

    async with await asyncio.get_running_loop().create_server(outer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for side in [*outers, *(one.other for one in outers if one.other is not None)]:
            side.transport.abort()
        # A turn of the loop in which they are told.
        await asyncio.sleep(0)


def through(serve, talk):
    """What `talk` returns, given a reader and a writer on this side of a door; `serve` is the emulator behind it."""

    async def conducted():
        emulator = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with emulator, door_to(emulator.sockets[0].getsockname()[1]) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                async with asyncio.timeout(20):
                    return await talk(reader, writer)
            finally:
                writer.close()

    return asyncio.run(conducted())


def test_bytes_go_both_ways_and_one_direction_may_end_first():
    async def serve(reader, writer):
        writer.write(b"you said " + await reader.read())
        writer.close()

    async def talk(reader, writer):
        writer.write(b"x" * 3_000_000)
        writer.write_eof()
        return await reader.read()

    assert through(serve, talk) == b"you said " + b"x" * 3_000_000


def test_a_connection_that_the_emulator_cuts_is_cut():
    async def serve(reader, writer):
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def talk(reader, writer):
        writer.write(b"x")
        return await reader.read()

    with pytest.raises(ConnectionResetError):
        through(serve, talk)


def test_a_connection_that_the_client_cuts_is_cut():
    cut = asyncio.Event()

    async def serve(reader, writer):
        try:
            await reader.read()
        except ConnectionResetError:
            cut.set()
        writer.close()

    async def talk(_reader, writer):
        writer.write(b"half a request")
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await cut.wait()
        return True

    assert through(serve, talk)


def test_where_nobody_listens_the_connection_is_cut():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def conducted():
        async with door_to(port) as door:
            reader, writer = await asyncio.open_connection("127.0.0.1", door)
            try:
                return await reader.read()
            finally:
                writer.close()

    with pytest.raises(ConnectionResetError):
        asyncio.run(conducted())
