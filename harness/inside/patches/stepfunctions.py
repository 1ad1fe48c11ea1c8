"""Patches of Step Functions."""

from __future__ import annotations

import functools
from typing import Any

from harness.inside.patches.alone import one_at_a_time
from harness.inside.patches.declare import NAME, patch

INLINE_MAP_CONCURRENCY = 40
NESTED_EXECUTION_POLL_S = 0.1
_STATE_EXECUTION = "localstack.services.stepfunctions.asl.component.state.state_execution"


@patch(
    f"{_STATE_EXECUTION}.state_map.iteration.inline_iteration_component",
    {"InlineIterationComponentEvalInput.max_concurrency": NAME, "InlineIterationComponentEvalInput.__init__": ("self",)},
)
def inline_map(module: Any) -> None:
    """LocalStack starts a thread per item of an Inline Map without MaxConcurrency, and the threads starve everything else. AWS runs 40 at a
    time: https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""
    original = module.InlineIterationComponentEvalInput.__init__

    @functools.wraps(original)
    def bounded(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.max_concurrency = self.max_concurrency or INLINE_MAP_CONCURRENCY

    module.InlineIterationComponentEvalInput.__init__ = bounded


@patch(
    f"{_STATE_EXECUTION}.state_task.service.state_task_service_callback",
    {"_DELAY_SECONDS_SYNC_CONDITION_CHECK": NAME},
)
def nested_executions(module: Any) -> None:
    """A state that waits for a nested execution polls every half second."""
    module._DELAY_SECONDS_SYNC_CONDITION_CHECK = NESTED_EXECUTION_POLL_S  # noqa: SLF001


@patch(
    "localstack.services.stepfunctions.asl.utils.boto_client",
    {"boto_client_for": ("service", "region", "state_credentials")},
)
def task_clients(module: Any) -> None:
    """Every task of a state machine assumes its role and makes a new client, which takes longer than most tasks."""
    make = module.boto_client_for
    of_role: dict[tuple[str, str, str], Any] = {}

    def boto_client_for(service: str, region: str, state_credentials: Any) -> Any:
        key = (service, region, state_credentials.role_arn)
        if key not in of_role:
            of_role[key] = make(service=service, region=region, state_credentials=state_credentials)
        return of_role[key]

    module.boto_client_for = one_at_a_time(boto_client_for)


def _json_paths(module: Any) -> None:
    """The parser makes its tables anew for every path, which is most of the work of a small state."""
    module.parse = functools.lru_cache(maxsize=4096)(module.parse)


PATCHES = (
    inline_map,
    nested_executions,
    task_clients,
    patch("jsonpath_ng.parser", {"parse": ("string",)})(_json_paths),
    patch("jsonpath_ng.ext.parser", {"parse": ("path", "debug")})(_json_paths),
)
