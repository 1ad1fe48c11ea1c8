"""What becomes of the invocations of a function that is updated or deleted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from harness.inside.lambda_ import updates

ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
# Longer than anything here takes: a test that reaches it has failed.
TIMEOUT_S = 20


class Manager:
    """Stands for LocalStack's version manager: an invocation waits until it may end."""

    function_arn = ARN

    def __init__(self):
        self.has_begun, self.may_end, self.has_stopped = threading.Event(), threading.Event(), threading.Event()

    @updates.invoke
    def invoke(self, *, invocation):
        self.has_begun.set()
        # Longer than any test waits: an invocation that gave up by itself would look like one that was ended.
        assert self.may_end.wait(3 * TIMEOUT_S)
        return invocation, self

    @updates.stop
    def stop(self):
        self.has_stopped.set()


@pytest.fixture
def threads():
    with ThreadPoolExecutor() as pool:
        yield pool


def service(old, *, comes="newer"):
    """Stands for LocalStack's service, in which another manager comes, none does, or the function goes meanwhile."""

    def update_version_state(self, _version, _state):
        if comes == "newer":
            self.lambda_running_versions[ARN] = Manager()
            old.stop()
        elif comes == "deletion":
            self.lambda_running_versions.clear()

    def stop_version(self, arn):
        self.lambda_running_versions.pop(arn).stop()

    made = SimpleNamespace(lambda_running_versions={ARN: old})
    made.update = lambda: updates.update_version_state(update_version_state)(made, SimpleNamespace(qualified_arn=ARN), None)
    made.delete = lambda: updates.stop_version(stop_version)(made, ARN)
    return made


def running(threads, manager):
    future = threads.submit(manager.invoke, invocation="one")
    assert manager.has_begun.wait(TIMEOUT_S)
    return future


def test_a_replaced_manager_stops_once_its_last_invocation_has_ended(threads):
    old = Manager()
    future = running(threads, old)
    service(old).update()
    assert not old.has_stopped.is_set()
    old.may_end.set()
    assert future.result(TIMEOUT_S) == ("one", old)
    assert old.has_stopped.wait(TIMEOUT_S)


def test_what_comes_to_a_manager_that_has_ended_goes_to_the_one_in_its_place():
    old = Manager()
    there = service(old)
    there.update()
    assert old.has_stopped.wait(TIMEOUT_S)
    newer = there.lambda_running_versions[ARN]
    newer.may_end.set()
    assert old.invoke(invocation="late") == ("late", newer)


def test_a_deletion_ends_a_replaced_manager_at_once(threads):
    old = Manager()
    running(threads, old)
    there = service(old)
    there.update()
    there.delete()
    assert old.has_stopped.wait(TIMEOUT_S)
    old.may_end.set()


@pytest.mark.parametrize("comes", ["nothing", "deletion"])
def test_a_manager_that_was_not_replaced_after_all_does_not_wait(threads, comes):
    old = Manager()
    running(threads, old)
    service(old, comes=comes).update()
    old.stop()
    assert old.has_stopped.is_set()
    old.may_end.set()
