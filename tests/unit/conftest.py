"""What holds for every test here: it ends what it began."""

from __future__ import annotations

import threading

import pytest


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """A thread that outlives its test disturbs others, whose randomness Hypothesis checks."""
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(timeout=5.0)
    assert not {thread.name for thread in left if thread.is_alive()}
