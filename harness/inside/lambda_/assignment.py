"""Which execution environment runs an invocation, with a bound on how many there are.

LocalStack starts one more environment for every concurrent invocation: a Map state over 1,000 items becomes 1,000 processes, and its
choice of a free one iterates over a dictionary that other threads change. Here an invocation that finds all environments of its
function busy waits its turn. The wait does not count towards the function's time-out; one that is too long is a throttle, as on AWS.

A start is dear where there are few cores: another environment of a function is started only after a wait that was as long as the last
start, and one at a time.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localstack.aws.api.lambda_ import TooManyRequestsException
from localstack.services.lambda_.invocation.assignment import AssignmentService
from localstack.services.lambda_.invocation.execution_environment import InvalidStatusException

from harness.inside.activity import INVOCATIONS
from harness.inside.lambda_.executor import environments_per_function, wait_for_environment_s
from harness.inside.lambda_.injected import into_assignment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
    from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

_lock = threading.Lock()
_queues: dict[str, _Queue] = {}
_unbounded = AssignmentService.get_environment


class _Queue:
    """Who waits for an environment of one function version."""

    def __init__(self) -> None:
        self.turns = threading.Semaphore(environments_per_function())
        self.changed = threading.Condition()
        self.one_starts = False
        self.start_s = 0.0
        """How long the last start took."""


@contextmanager
def get_environment(
    self: AssignmentService, version_manager_id: str, function_version: FunctionVersion, provisioning_type: str
) -> Iterator[ExecutionEnvironment]:
    """Replaces AssignmentService.get_environment."""
    with INVOCATIONS.one(function_version.id.account):
        if provisioning_type != "on-demand":
            with _unbounded(self, version_manager_id, function_version, provisioning_type) as environment:
                yield environment
            return
        if into_assignment(function_version.id.account, function_version.id.function_name):
            raise _throttled()
        with _lock:
            queue = _queues.setdefault(version_manager_id, _Queue())
        if not queue.turns.acquire(timeout=wait_for_environment_s()):
            raise _throttled()
        try:
            environments = self.environments[version_manager_id]
            environment = _free(queue, environments) or _started(
                queue, environments, lambda: self.start_environment(version_manager_id, function_version)
            )
            try:
                yield environment
            except BaseException:
                self.stop_environment(environment)
                raise
            with queue.changed:
                environment.release()
                queue.changed.notify()
        finally:
            queue.turns.release()


def _throttled() -> TooManyRequestsException:
    return TooManyRequestsException(
        "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded", Type="User", retryAfterSeconds="1"
    )


def _free(queue: _Queue, environments: dict[str, ExecutionEnvironment]) -> ExecutionEnvironment | None:
    """A free environment. None where there is none for as long as a start takes: the caller then starts one, and no other does meanwhile."""
    with queue.changed:
        give_up_at = time.monotonic() + queue.start_s
        while True:
            if (environment := _reserved(environments)) is not None:
                return environment
            if queue.one_starts:
                queue.changed.wait()
                give_up_at = time.monotonic() + queue.start_s
            elif (left_s := give_up_at - time.monotonic()) > 0:
                queue.changed.wait(left_s)
            else:
                queue.one_starts = True
                return None


def _reserved(environments: dict[str, ExecutionEnvironment]) -> ExecutionEnvironment | None:
    for environment in list(environments.values()):
        if environment.initialization_type == "on-demand":
            try:
                environment.reserve()
            except InvalidStatusException:
                continue
            return environment
    return None


def _started(
    queue: _Queue, environments: dict[str, ExecutionEnvironment], start: Callable[[], ExecutionEnvironment]
) -> ExecutionEnvironment:
    began = time.monotonic()
    try:
        environment = start()
        with queue.changed:
            environment.reserve()
            environments[environment.id] = environment
            queue.start_s = time.monotonic() - began
        return environment
    finally:
        with queue.changed:
            queue.one_starts = False
            queue.changed.notify_all()
