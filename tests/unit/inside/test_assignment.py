"""Who gets an environment, and when another one is started."""

from __future__ import annotations

import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from localstack.services.lambda_.invocation.execution_environment import InvalidStatusException, RuntimeStatus

from harness.faults.plan import load, named
from harness.inside import metrics
from harness.inside.faults import armed
from harness.inside.lambda_ import assignment
from harness.inside.lambda_.assignment import _free, _Queue, _started, get_environment
from harness.inside.lambda_.injected import INVOCATION, into_init

VERSION = SimpleNamespace(id=SimpleNamespace(account="000000000000", region="us-east-1", function_name="f"))


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """The metrics that were counted: there is no CloudWatch to send them to."""
    counted = []
    monkeypatch.setattr(metrics, "count", lambda metric, value: counted.append((metric.name, value)))
    return counted


class Environment:
    """Of LocalStack's, what is asked of it here."""

    initialization_type = "on-demand"

    def __init__(self, name, status=RuntimeStatus.READY):
        self.id, self.status = name, status

    def _change(self, before, after):
        if self.status is not before:
            raise InvalidStatusException(str(self.status))
        self.status = after

    def reserve(self):
        self._change(RuntimeStatus.READY, RuntimeStatus.INVOKING)

    def release(self):
        self._change(RuntimeStatus.INVOKING, RuntimeStatus.READY)


class Service:
    """LocalStack's, whose environments start at once."""

    def __init__(self):
        self.environments, self.stopped = defaultdict(dict), []

    def start_environment(self, version_manager_id, version):
        assert version is VERSION
        return Environment(f"{version_manager_id} {len(self.environments[version_manager_id])}")

    def stop_environment(self, environment):
        self.stopped.append(environment.id)
        environment.status = RuntimeStatus.STOPPED

    def one(self, version_manager_id="v"):
        return get_environment(self, version_manager_id, VERSION, "on-demand")


class Told(threading.Condition):
    """A condition that tells when somebody waits for it."""

    def __init__(self):
        super().__init__()
        self.waited = threading.Event()

    def wait(self, timeout=None):
        self.waited.set()
        return super().wait(timeout)


@pytest.fixture
def queue():
    queue = _Queue("000000000000")
    queue.changed = Told()
    return queue


@pytest.fixture
def service(monkeypatch, queue):
    monkeypatch.setattr(assignment, "_queues", {"v": queue})
    monkeypatch.setattr(assignment, "_STARTS_AT_ONCE", 1)
    return Service()


def busy(*names):
    return {name: Environment(name, RuntimeStatus.INVOKING) for name in names}


def test_the_first_environment_starts_at_once(queue):
    environments = {}
    assert _free(queue, environments) is None
    started = _started(queue, environments, lambda: Environment("a"))
    assert (started.status, environments, queue.starting) == (RuntimeStatus.INVOKING, {"a": started}, 0)


def test_a_free_environment_is_taken(queue):
    environments = {**busy("a"), "b": Environment("b")}
    assert _free(queue, environments).id == "b"


def test_who_finds_all_busy_for_as_long_as_a_start_takes_starts_another(queue):
    queue.wait_s = 0.01
    assert _free(queue, busy("a", "b")) is None
    assert queue.starting == 1


@pytest.mark.parametrize("status", [None, RuntimeStatus.STOPPED, RuntimeStatus.TIMING_OUT])
def test_nobody_waits_for_what_cannot_come_free(queue, status):
    queue.wait_s = 0.5
    assert _free(queue, {"a": Environment("a", status)} if status else {}) is None
    assert not queue.changed.waited.is_set()


def test_who_waits_takes_the_one_that_comes_free_before_another_would_have_started(service, queue):
    one, other = service.one(), service.one()
    first = one.__enter__()
    queue.wait_s = 600
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other.__enter__)
        assert queue.changed.waited.wait(30)
        one.__exit__(None, None, None)
        assert waiting.result(30) is first
    assert service.stopped == []


def test_what_failed_is_stopped_and_who_waited_for_it_starts_another(service, queue):
    one, other = service.one(), service.one()
    first = one.__enter__()
    queue.wait_s = 600
    error = OSError("gone")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other.__enter__)
        assert queue.changed.waited.wait(30)
        assert not one.__exit__(OSError, error, None)
        assert waiting.result(30) is not first
    assert service.stopped == [first.id]


def test_an_environment_that_was_stopped_while_it_answered_has_answered(service):
    with service.one() as environment:
        service.stop_environment(environment)
    with service.one() as another:
        assert another is not environment


def test_an_invocation_is_counted_with_how_many_ran_at_its_end(service, counted):
    with service.one("a"), service.one("a"):
        assert not counted
    assert [value for name, value in counted if name == "ConcurrentExecutions"] == [2, 1]


def test_turns_come_back(service, monkeypatch):
    monkeypatch.setenv("PIPEPROOF_LAMBDA_QUEUE_S", "0")
    for _ in range(100):
        with service.one():
            pass
        one = service.one()
        one.__enter__()
        assert not one.__exit__(OSError, OSError("gone"), None)


def test_no_more_start_at_once_than_may(service, queue):
    environments = busy("a")
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
    assert queue.starting == 0


def test_an_init_that_a_fault_waits_for_is_made_though_an_environment_is_free(service):
    """A replay: in the run that it repeats none was free."""
    fault = {"kind": "lambda_init", "function": "f", "carrying": ["id-7"], "invocations": "1"}
    service.environments["v"] = {"free": Environment("free")}
    armed.arm("000000000000", named(load([fault]), 1), "run")
    carried = INVOCATION.set(SimpleNamespace(request_id="r", payload=b'{"id": "id-7"}'))
    try:
        with service.one() as environment:
            assert environment.id != "free"
            assert into_init("000000000000", "f")
        # The fault has met its init.
        with service.one() as environment:
            assert environment.id == "free"
    finally:
        INVOCATION.reset(carried)
        armed.disarm("000000000000")
