"""Which execution environment runs an invocation, with a bound on how many there are.

LocalStack starts one more environment for every concurrent invocation: a Map state over 1,000 items becomes 1,000 processes, and its
choice of a free one iterates over a dictionary that other threads change. Here an invocation that finds all environments of its
function version busy waits its turn. The wait does not count towards the function's time-out; a turn that does not come is a throttle,
as on AWS.

A start is dear where there are few cores. On AWS all that are needed start at once; here an invocation first waits for a free one as
long as the last start took, and at most one start for two cores is under way.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from localstack.aws.api.lambda_ import ServiceException, TooManyRequestsException
from localstack.services.lambda_.invocation.assignment import AssignmentService
from localstack.services.lambda_.invocation.execution_environment import InvalidStatusException, RuntimeStatus

from harness.inside import forgotten, journal
from harness.inside.gauges.lambda_ import INVOCATIONS
from harness.inside.lambda_ import function_metrics
from harness.inside.lambda_.executor import environments_per_function, wait_for_environment_s
from harness.inside.lambda_.injected import awaits_init, into_assignment, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
    from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

_lock = threading.Lock()
_queues: dict[str, _Queue] = {}
_unbounded = AssignmentService.get_environment


_STARTS_AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
_LONGEST_WAIT_S = 2.0


class _Queue:
    """The invocations that wait for an environment of one function version."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.turns = threading.Semaphore(environments_per_function())
        self.changed = threading.Condition()
        self.starting = 0
        self.ended = False
        """Whether the function was deleted, or updated and its last invocation has ended."""
        self.wait_s = 0.0
        """How long the last start took, up to _LONGEST_WAIT_S."""

    def free(self) -> int:
        """Returns how many more invocations could run now."""
        return int(self.turns._value)  # noqa: SLF001 - the semaphore does not tell it otherwise


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
        if _is_to_be_throttled(function_version):
            raise _throttled()
        with _lock:
            queue = _queues[version_manager_id] = _queues.get(version_manager_id) or _Queue(function_version.id.account)
        if not queue.turns.acquire(timeout=wait_for_environment_s()):
            raise _throttled()
        try:
            _require_function(queue, function_version)
            environments = self.environments[version_manager_id]
            environment = _free_unless_awaited(queue, environments, function_version) or _started(
                queue, environments, lambda: self.start_environment(version_manager_id, function_version)
            )
            began = time.monotonic()
            try:
                _require_function(queue, function_version)
                yield environment
                function_metrics.record_duration(
                    function_version.id, (time.monotonic() - began) * 1000, environments_per_function() - queue.free()
                )
                # One that was stopped meanwhile has still answered.
                with suppress(InvalidStatusException):
                    environment.release()
            except BaseException:
                self.stop_environment(environment)
                raise
            finally:
                with queue.changed:
                    queue.changed.notify_all()
        finally:
            queue.turns.release()


def stop_environments_for_version(self: AssignmentService, version_manager_id: str) -> None:
    """Replaces AssignmentService.stop_environments_for_version. An invocation that waits for an environment, or for the start of one, fails once it has it."""
    with _lock:
        queue = _queues.pop(version_manager_id, None)
        if queue is not None:
            queue.ended = True
    for environment in list(self.environments.get(version_manager_id, {}).values()):
        self.stop_environment(environment)


def _require_function(queue: _Queue, version: FunctionVersion) -> None:
    if queue.ended:
        raise ServiceException(f"The function {version.id.function_name} was deleted.")


@forgotten.with_account
def forget(account: str) -> None:
    """Forgets the functions of an account that is not used any more."""
    with _lock:
        for version_manager_id in [one for one, queue in _queues.items() if queue.account == account]:
            del _queues[version_manager_id]


def _is_to_be_throttled(version: FunctionVersion) -> bool:
    account, name = version.id.account, version.id.function_name
    request_id, payload = served()
    if not into_assignment(account, name):
        return False
    journal.invocation(account, name, request_id, payload, b"TooManyRequestsException", error=True, log="", began=time.monotonic())
    return True


def _throttled() -> TooManyRequestsException:
    return TooManyRequestsException(
        "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded", Type="User", retryAfterSeconds="1"
    )


def _free_unless_awaited(
    queue: _Queue, environments: dict[str, ExecutionEnvironment], version: FunctionVersion
) -> ExecutionEnvironment | None:
    """Returns a free environment; None where there is none, or where a fault waits for an init."""
    if not awaits_init(version.id.account, version.id.function_name):
        return _free(queue, environments)
    with queue.changed:
        queue.starting += 1
    return None


def _free(queue: _Queue, environments: dict[str, ExecutionEnvironment]) -> ExecutionEnvironment | None:
    """Returns a free environment, or None where none becomes free soon: the caller then starts one."""
    with queue.changed:
        give_up_at = time.monotonic() + queue.wait_s
        while (environment := _reserved(environments)) is None:
            if queue.starting >= _STARTS_AT_ONCE:
                queue.changed.wait()
                give_up_at = time.monotonic() + queue.wait_s
            elif (left_s := give_up_at - time.monotonic()) > 0 and _some_are_busy(environments):
                queue.changed.wait(left_s)
            else:
                queue.starting += 1
                return None
        return environment


def _some_are_busy(environments: dict[str, ExecutionEnvironment]) -> bool:
    return any(e.initialization_type == "on-demand" and e.status is RuntimeStatus.INVOKING for e in list(environments.values()))


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
            queue.wait_s = min(time.monotonic() - began, _LONGEST_WAIT_S)
        return environment
    finally:
        with queue.changed:
            queue.starting -= 1
            queue.changed.notify_all()
