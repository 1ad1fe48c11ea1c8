"""Which execution environment runs an invocation, with a bound on how many there are.

LocalStack starts one more environment for every concurrent invocation: a Map state over 1,000 items becomes 1,000 processes, and its
choice of a free one iterates over a dictionary that other threads change. Here an invocation that finds all environments of its
function busy waits its turn. The wait does not count towards the function's time-out; one that is too long is a throttle, as on AWS.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from localstack.aws.api.lambda_ import TooManyRequestsException
from localstack.services.lambda_.invocation.assignment import AssignmentService
from localstack.services.lambda_.invocation.execution_environment import InvalidStatusException

from harness.inside.activity import INVOCATIONS
from harness.inside.lambda_.executor import environments_per_function, wait_for_environment_s
from harness.inside.lambda_.injected import into_assignment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
    from localstack.services.lambda_.invocation.lambda_models import FunctionVersion

_lock = threading.Lock()
_turns: dict[str, threading.Semaphore] = {}
_unbounded = AssignmentService.get_environment


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
            turns = _turns.setdefault(version_manager_id, threading.Semaphore(environments_per_function()))
        if not turns.acquire(timeout=wait_for_environment_s()):
            raise _throttled()
        try:
            environment = _free(self, version_manager_id) or _started(self, version_manager_id, function_version)
            try:
                yield environment
            except BaseException:
                self.stop_environment(environment)
                raise
            environment.release()
        finally:
            turns.release()


def _throttled() -> TooManyRequestsException:
    return TooManyRequestsException(
        "Rate Exceeded.", Reason="ConcurrentInvocationLimitExceeded", Type="User", retryAfterSeconds="1"
    )


def _free(service: AssignmentService, version_manager_id: str) -> ExecutionEnvironment | None:
    with _lock:
        for environment in list(service.environments[version_manager_id].values()):
            if environment.initialization_type == "on-demand":
                try:
                    environment.reserve()
                except InvalidStatusException:
                    continue
                return environment
    return None


def _started(service: AssignmentService, version_manager_id: str, version: FunctionVersion) -> ExecutionEnvironment:
    environment = service.start_environment(version_manager_id, version)
    with _lock:
        environment.reserve()
        service.environments[version_manager_id][environment.id] = environment
    return environment
