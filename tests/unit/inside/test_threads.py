"""Threads that have ended are let go; others, and what is no thread, stay until LocalStack ends."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from harness.inside.threads import RunningThreads


@pytest.fixture
def goes_on():
    event = threading.Event()
    threads = [threading.Thread(target=event.wait, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield threads
    event.set()
    for thread in threads:
        thread.join()


def ended():
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()
    return thread


def test_of_ten_thousand_threads_those_that_have_ended_are_let_go(goes_on):
    pool, not_begun = object(), threading.Thread(target=int)
    threads = RunningThreads([pool])
    gone = weakref.WeakSet()
    for thread in goes_on:
        threads.append(thread)
    threads.append(not_begun)
    for _ in range(10_000):
        thread = ended()
        gone.add(thread)
        threads.append(thread)
        assert len(threads) <= 100
    del thread
    gc.collect()
    assert len(gone) <= 100
    assert [item for item in threads if item not in gone] == [pool, *goes_on, not_begun]


def test_of_many_that_run_none_is_let_go():
    event = threading.Event()
    running = [threading.Thread(target=event.wait, daemon=True) for _ in range(250)]
    threads = RunningThreads([])
    try:
        for thread in running:
            thread.start()
            threads.append(thread)
        assert threads == running
    finally:
        event.set()
