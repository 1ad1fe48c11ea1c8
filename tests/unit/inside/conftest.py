"""A connection to an application."""

from __future__ import annotations

import socket
import threading

import pytest

from harness.inside.server import Connection
from tests.unit.inside.wire import TcpLike


@pytest.fixture
def talk():
    """Called with an application it returns a connection to it."""
    open_ones, threads = [], []

    def connect(app):
        mine, theirs = socket.socketpair()
        mine.settimeout(10)
        thread = threading.Thread(target=Connection(TcpLike(theirs), ("127.0.0.1", 1), app, None).serve)
        thread.start()
        open_ones.append(mine)
        threads.append(thread)
        return mine

    yield connect
    for one in open_ones:
        one.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
