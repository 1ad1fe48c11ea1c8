"""Who gets an environment, and when another one is started."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from localstack.services.lambda_.invocation.execution_environment import InvalidStatusException

from harness.inside.lambda_.assignment import _free, _Queue, _started


class Environment:
    """Of the states that LocalStack's has, ready and busy."""

    initialization_type = "on-demand"

    def __init__(self, name):
        self.id, self.busy = name, False

    def reserve(self):
        if self.busy:
            message = "busy"
            raise InvalidStatusException(message)
        self.busy = True


@pytest.fixture
def queue():
    return _Queue()


def busy(*names):
    environments = {name: Environment(name) for name in names}
    for environment in environments.values():
        environment.reserve()
    return environments


def released(queue, environment):
    with queue.changed:
        environment.busy = False
        queue.changed.notify()


def test_the_first_environment_starts_at_once(queue):
    environments = {}
    assert _free(queue, environments) is None
    started = _started(queue, environments, lambda: Environment("a"))
    assert (started.busy, environments, queue.one_starts) == (True, {"a": started}, False)


def test_a_free_environment_is_taken(queue):
    environments = {**busy("a"), "b": Environment("b")}
    assert _free(queue, environments).id == "b"


def test_who_finds_all_busy_for_as_long_as_a_start_takes_starts_another(queue):
    queue.start_s = 0.01
    assert _free(queue, busy("a", "b")) is None
    assert queue.one_starts


def test_who_finds_all_busy_takes_the_one_that_is_free_before_another_would_have_started(queue):
    queue.start_s = 60
    environments = busy("a", "b")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_free, queue, environments)
        released(queue, environments["b"])
        assert waiting.result(30) is environments["b"]


class Told(threading.Condition):
    """A condition that tells when somebody waits for it."""

    def __init__(self):
        super().__init__()
        self.waited = threading.Event()

    def wait(self, timeout=None):
        self.waited.set()
        return super().wait(timeout)


def test_no_other_starts_while_one_does(queue):
    environments, queue.changed = busy("a"), Told()
    assert _free(queue, environments) is None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_free, queue, environments)
        assert queue.changed.waited.wait(30)
        assert _started(queue, environments, lambda: Environment("b")).id == "b"
        # Then it may.
        assert waiting.result(30) is None


def test_a_start_that_fails_leaves_the_way_free_for_the_next(queue):
    def fails():
        message = "no such runtime"
        raise OSError(message)

    assert _free(queue, {}) is None
    with pytest.raises(OSError, match="no such runtime"):
        _started(queue, {}, fails)
    assert _free(queue, {}) is None
