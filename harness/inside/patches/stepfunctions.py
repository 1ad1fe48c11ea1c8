"""Patches of Step Functions."""

from __future__ import annotations

import functools
import json
import os
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.inside import forgotten
from harness.inside.patches.alone import one_at_a_time
from harness.inside.patches.declare import NAME, patch

if TYPE_CHECKING:
    from collections.abc import Callable

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
    "localstack.services.stepfunctions.asl.eval.callback.callback",
    {
        "CallbackPoolManager.notify": ("self", "callback_id", "outcome"),
        "CallbackPoolManager.heartbeat": ("self", "callback_id"),
        "CallbackPoolManager.get": ("self", "callback_id"),
        "CallbackEndpoint.get_outcome": ("self",),
        "CallbackEndpoint.consumer_error": NAME,
    },
)
def closed_tasks(module: Any) -> None:
    """LocalStack lets the last answer to a task count while its execution runs, and knows no heartbeat of a task that needs none. On AWS the first answer
    closes the task: https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html"""
    manager = module.CallbackPoolManager
    notify, heartbeat = manager.notify, manager.heartbeat

    def require_open(self: Any, callback_id: str) -> Any:
        from harness.inside.stepfunctions import tokens  # noqa: PLC0415

        endpoint = self.get(callback_id)
        if endpoint is not None:
            tokens.require_open(endpoint)
        return endpoint

    def first(self: Any, callback_id: str, outcome: Any) -> bool:
        require_open(self, callback_id)
        return bool(notify(self, callback_id, outcome))

    def beat(self: Any, callback_id: str) -> bool:
        endpoint = require_open(self, callback_id)
        return bool(heartbeat(self, callback_id)) or endpoint is not None

    manager.notify, manager.heartbeat = one_at_a_time(first), beat


@patch(
    "localstack.services.stepfunctions.asl.eval.callback.callback",
    {
        "CallbackEndpoint.setup_heartbeat_endpoint": ("self", "heartbeat_seconds"),
        "CallbackEndpoint.get_outcome": ("self",),
        "HeartbeatEndpoint.clear_and_wait": ("self",),
        "HeartbeatEndpoint.notify": ("self",),
    },
)
def answers_before_the_wait(module: Any) -> None:
    """A function may answer with its token before it returns. LocalStack begins to wait for heartbeats when it has returned, and loses that answer."""
    begin = module.CallbackEndpoint.setup_heartbeat_endpoint

    def begun(self: Any, heartbeat_seconds: int) -> Any:
        endpoint = begin(self, heartbeat_seconds=heartbeat_seconds)
        wait = endpoint.clear_and_wait
        # An answer that comes with the last heartbeat counts, too: its sender was told so.
        endpoint.clear_and_wait = lambda: wait() or self.get_outcome() is not None
        if self.get_outcome() is not None:
            endpoint.notify()
        return endpoint

    module.CallbackEndpoint.setup_heartbeat_endpoint = begun


@patch(
    "localstack.services.stepfunctions.asl.utils.boto_client",
    {"boto_client_for": ("service", "region", "state_credentials")},
)
def task_clients(module: Any) -> None:
    """Every task of a state machine assumes its role and makes a new client, which takes longer than most tasks."""
    from harness.inside.stepfunctions.clients import client_of  # noqa: PLC0415

    make = module.boto_client_for

    def boto_client_for(service: str, region: str, state_credentials: Any) -> Any:
        made = functools.partial(make, service=service, region=region, state_credentials=state_credentials)
        return client_of(state_credentials.role_arn, service, region, made)

    module.boto_client_for = one_at_a_time(boto_client_for)


@patch(
    f"{_STATE_EXECUTION}.state_task.service.state_task_service", {"StateTaskService._from_boto_response_value": ("response_value",)}
)
def dates(module: Any) -> None:
    """LocalStack leaves what the SDK makes of a date in the state's data, which has texts only: an intrinsic function fails on it."""
    convert = module.StateTaskService._from_boto_response_value  # noqa: SLF001

    def converted(response_value: Any) -> Any:
        value = convert(response_value)
        if isinstance(value, datetime):
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return value

    module.StateTaskService._from_boto_response_value = staticmethod(converted)  # noqa: SLF001


@patch(f"{_STATE_EXECUTION.rpartition('.')[0]}.state_choice.state_choice", {"StateChoice._eval_state": ("self", "env")})
def choices(module: Any) -> None:
    """A Choice without a match fails with States.Runtime in LocalStack, so that a Catch of its error does not see it."""
    original = module.StateChoice._eval_state  # noqa: SLF001

    def eval_state(self: Any, env: Any) -> None:
        try:
            original(self, env)
        except RuntimeError as error:
            if not str(error.args[0] if error.args else "").startswith("No branching option"):
                raise
            from harness.inside.stepfunctions.failures import no_choice_matched  # noqa: PLC0415

            raise no_choice_matched(env, self.name) from error

    module.StateChoice._eval_state = eval_state  # noqa: SLF001


@patch(
    "localstack.services.stepfunctions.backend.execution",
    {"Execution.publish_execution_status_change_event": ("self",), "ExecutionStatus": NAME},
)
def execution_metrics(module: Any) -> None:
    """LocalStack does not count executions, and it keeps the error of a failed execution only in that execution."""
    from harness.inside import journal  # noqa: PLC0415
    from harness.inside.metrics import Metric, count  # noqa: PLC0415

    original = module.Execution.publish_execution_status_change_event
    names = {
        "RUNNING": "ExecutionsStarted",
        "SUCCEEDED": "ExecutionsSucceeded",
        "FAILED": "ExecutionsFailed",
        "TIMED_OUT": "ExecutionsTimedOut",
        "ABORTED": "ExecutionsAborted",
    }

    def publish(self: Any) -> None:
        dimension = ("StateMachineArn", self.state_machine_arn)
        metric = Metric(
            self.account_id, self.region_name, "AWS/States", dimension, names.get(str(self.exec_status), "ExecutionsStarted")
        )
        count(metric)
        if self.stop_date is not None:
            took_ms = (self.stop_date - self.start_date).total_seconds() * 1000
            count(metric._replace(name="ExecutionTime", unit="Milliseconds"), round(took_ms, 1))
            if str(self.exec_status) != "SUCCEEDED":
                name = f"{self.state_machine_arn} at {self.exec_worker.env.progress.state}"
                error = ": ".join(filter(None, (self.error or str(self.exec_status), self.cause)))
                given = json.dumps(self.input_data, ensure_ascii=False)
                journal.execution(self.account_id, self.exec_arn, name, error, given, self.start_date.timestamp())
        original(self)

    module.Execution.publish_execution_status_change_event = publish


@patch(
    "localstack.services.stepfunctions.provider",
    {
        "StepFunctionsProvider.send_task_success": ("self", "context", "task_token", "output"),
        "StepFunctionsProvider.send_task_failure": ("self", "context", "task_token", "error", "cause"),
        "StepFunctionsProvider.send_task_heartbeat": ("self", "context", "task_token"),
        "StepFunctionsProvider.start_execution": ("self", "context", "state_machine_arn", "name", "input"),
        "StepFunctionsProvider.start_sync_execution": ("self", "context", "state_machine_arn", "name", "input"),
        "StepFunctionsProvider.get_execution_history": ("self", "context", "execution_arn"),
        "StepFunctionsProvider._validate_definition": ("definition", "static_analysers"),
        "StepFunctionsProvider.validate_state_machine_definition": ("self", "context", "request"),
    },
)
def requests(module: Any) -> None:
    """LocalStack takes an output that is no JSON, an input of any size, the failure of a task whose execution has ended, and transitions that lead
    nowhere; it returns a history as one page, and bills nothing."""
    from harness.inside.stepfunctions import requests as ours  # noqa: PLC0415
    from harness.inside.stepfunctions import tokens  # noqa: PLC0415

    provider = module.StepFunctionsProvider
    provider.send_task_success = tokens.of_running_executions(ours.with_json(provider.send_task_success))
    provider.send_task_failure = tokens.of_running_executions(provider.send_task_failure)
    provider.send_task_heartbeat = tokens.of_running_executions(provider.send_task_heartbeat)
    provider.start_execution = ours.within_bounds(provider.start_execution)
    provider.start_sync_execution = ours.within_bounds(ours.billed(provider.start_sync_execution))
    provider._validate_definition = staticmethod(ours.validated(provider._validate_definition))  # noqa: SLF001
    provider.validate_state_machine_definition = ours.with_diagnostics(provider.validate_state_machine_definition)
    provider.get_execution_history = ours.by_pages(provider.get_execution_history)


@patch("localstack.services.stepfunctions.backend.alias", {"Alias.update": ("self", "description", "routing_configuration_list")})
def aliases(module: Any) -> None:
    """LocalStack copies a state machine for each execution, and cannot copy one with an alias."""
    module.Alias.__deepcopy__ = lambda self, _memo: self


def _json_paths(parser: str) -> Callable[[Any], None]:
    """Returns a patch of a module with this class of parsers."""

    def one_parser(module: Any) -> None:
        """The parser makes its tables anew for every path, in 40 ms, which is most of the work of a small state."""
        made, parsing = functools.cache(getattr(module, parser)), threading.Lock()

        @functools.lru_cache(maxsize=4096)
        def parse(path: str, debug: bool = False) -> Any:  # noqa: FBT001, FBT002 - as the library has it
            with parsing:
                return made(debug).parse(path)

        module.parse = parse

    return one_parser


@patch(
    "localstack.services.stepfunctions.asl.parse.asl_parser",
    {"AmazonStateLanguageParser.parse": ("definition",), "Preprocessor": NAME},
)
def definitions(module: Any) -> None:
    """LocalStack reads the definition of a state machine for each execution and each description of it, in 30 to 80 ms. To make of what was read what is
    executed takes a tenth of it, and is done each time: it changes while it is executed."""
    parse = module.AmazonStateLanguageParser.parse

    # What was read of one takes about a megabyte.
    @functools.lru_cache(maxsize=32)
    def read(definition: str) -> Any:
        return parse(definition)[1]

    # Each account has its own, as functions are named with it. What the others still need they read again.
    forgotten.with_account(lambda _account: read.cache_clear())

    def parsed(definition: str) -> tuple[Any, Any]:
        tree = read(definition)
        return module.Preprocessor().visit(tree), tree

    module.AmazonStateLanguageParser.parse = staticmethod(parsed)


@patch("moto", {"__version__": NAME})
def batch_models(module: Any) -> None:
    """Step Functions loads Moto's models of Batch, and with them those of EC2 and ECS, for the names of a job's states."""
    from harness.inside.later import later  # noqa: PLC0415

    # Its module `utils`, which has the names, is found in the package's directory.
    later("moto.batch", {"__path__": [os.path.join(path, "batch") for path in module.__path__]})  # noqa: PTH118 - strings, as Python has them


PATCHES = (
    batch_models,
    inline_map,
    nested_executions,
    closed_tasks,
    answers_before_the_wait,
    task_clients,
    dates,
    choices,
    execution_metrics,
    requests,
    aliases,
    definitions,
    patch("jsonpath_ng.parser", {"parse": ("string",), "JsonPathParser.parse": ("self", "string")})(_json_paths("JsonPathParser")),
    patch("jsonpath_ng.ext.parser", {"parse": ("path", "debug"), "ExtentedJsonPathParser": NAME})(
        _json_paths("ExtentedJsonPathParser")
    ),
)
