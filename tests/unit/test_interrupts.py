"""Signals while something is started that must be noted before anything else happens."""

from __future__ import annotations

import os
import signal
import weakref

import pytest

from harness import interrupts

pytestmark = pytest.mark.usefixtures("handlers")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_held_back_until_the_block_has_ended(number):
    noted = []

    def start() -> None:
        with interrupts.held():
            with interrupts.held():
                os.kill(os.getpid(), number)
            noted.append("started")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert noted == ["started"]
    assert interrupts.came()


def test_a_signal_outside_of_a_block_interrupts_at_once():
    with interrupts.held():
        pass
    assert not interrupts.came()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupts.came()


def test_an_interrupt_that_python_drops_is_not_told_and_has_come(capsys):
    class Thing:
        pass

    thing = Thing()
    weakref.finalize(thing, os.kill, os.getpid(), signal.SIGTERM)
    del thing
    assert interrupts.came()
    assert capsys.readouterr().err == ""
