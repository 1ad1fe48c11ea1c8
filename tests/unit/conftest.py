"""What holds for every test here: it ends what it began."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from harness import interrupts


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """A thread that outlives its test disturbs others, whose randomness Hypothesis checks."""
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=5.0)
    assert not {thread.name for thread in left if thread.is_alive()}


@pytest.fixture
def handlers(monkeypatch):
    """The handlers of a command, for the time of a test."""
    told = sys.unraisablehook
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        # As in a terminal, wherever the tests run.
        signal.signal(number, signal.SIG_DFL)
    monkeypatch.setattr(interrupts, "_came", False)
    interrupts.clean_up()
    yield
    sys.unraisablehook = told
    for number, handler in before.items():
        signal.signal(number, handler)
