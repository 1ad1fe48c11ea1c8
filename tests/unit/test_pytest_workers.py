"""How workers of pytest-xdist ask their controller for an emulator."""

from __future__ import annotations

import socket
from multiprocessing.connection import AuthenticationError, Client

import pytest

from harness.emulator.emulator import Description
from harness.errors import UnknownVerdictError, UsageError
from harness.pytest_plugin.workers import ForWorkers, OfController

EMULATOR = Description("embedded", "localstack", "4.9.2", "http://127.0.0.1:4566", "python3.11")


@pytest.fixture
def controller():
    """Yields the controller, and what it was asked for."""
    asked = []

    def describe(node):
        asked.append(node)
        if node:
            raise UsageError("no Node.js here")
        return EMULATOR

    made = ForWorkers(describe)
    yield made, asked
    made.close()


def test_each_worker_has_a_number_and_asks_once(controller):
    made, asked = controller
    (port, key, first), (_, _, second) = made.invitation(), made.invitation()
    worker = OfController(port, key)
    assert [worker.description(node=False) for _ in range(2)] == [EMULATOR, EMULATOR]
    assert worker.shared(node=False).start() == EMULATOR
    assert (first, second, asked) == (1, 2, [False])


def test_what_the_controller_cannot_have_the_worker_is_told(controller):
    made, _ = controller
    with pytest.raises(UsageError, match=r"no Node\.js here"):
        OfController(*made.invitation()[:2]).description(node=True)


def test_whoever_has_no_key_or_goes_away_does_not_end_it(controller):
    made, _ = controller
    port, key, _ = made.invitation()
    socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(AuthenticationError):
        Client(("127.0.0.1", port), authkey=b"wrong")
    assert OfController(port, key).description(node=False) == EMULATOR


def test_a_controller_that_has_ended_is_told(controller):
    made, _ = controller
    worker = OfController(*made.invitation()[:2])
    made.close()
    with pytest.raises(UnknownVerdictError, match="does not answer"):
        worker.description(node=False)
