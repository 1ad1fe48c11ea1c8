"""Threads that have ended are let go; others, and what is no thread, stay until LocalStack ends."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from types import ModuleType

import pytest

from harness.inside.patches.runtime import threads as patch_threads
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


def test_modules_that_have_taken_the_list_before_get_the_new_one(monkeypatch):
    owner, early, other = ModuleType("owner"), ModuleType("early"), ModuleType("other")
    owner.TMP_THREADS = early.TMP_THREADS = [object()]
    other.TMP_THREADS = []
    for module in (owner, early, other):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    was = list(owner.TMP_THREADS)
    patch_threads.apply(owner)
    assert isinstance(early.TMP_THREADS, RunningThreads)
    assert owner.TMP_THREADS is early.TMP_THREADS
    assert list(owner.TMP_THREADS) == was
    assert type(other.TMP_THREADS) is list
