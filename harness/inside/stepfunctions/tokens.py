"""Task tokens: one for each attempt of a state, open until it is answered or its attempt ends.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html#connect-wait-token
"""

from __future__ import annotations

import functools
from typing import Any

from localstack.aws.api.stepfunctions import ExecutionStatus, TaskTimedOut
from localstack.services.stepfunctions.asl.eval.callback.callback import CallbackConsumerLeft

_CLOSED = "Task Timed Out: 'Provided task does not exist anymore'"


def renew(env: Any) -> None:
    """Gives a retry a new task token."""
    context = env.states.context_object
    if "Task" in context.context_object_data and context.context_object_data["State"].get("RetryCount"):
        env.callback_pool_manager.add(context.update_task_token())


def close(env: Any) -> None:
    """Closes the token of an attempt that has failed or was left: an answer that comes later changes nothing, and its sender is told so."""
    token = env.states.context_object.context_object_data.get("Task", {}).get("Token")
    endpoint = env.callback_pool_manager.get(token)
    if endpoint is not None:
        endpoint.report(CallbackConsumerLeft())
        endpoint.interrupt_all()


def require_open(endpoint: Any) -> None:
    """Raises TaskTimedOut for the endpoint of a token that has been answered or closed."""
    if endpoint.get_outcome() is not None or endpoint.consumer_error is not None:
        raise TaskTimedOut(_CLOSED)


def of_running_executions(send: Any) -> Any:
    """Returns a SendTaskSuccess, -Failure or -Heartbeat that raises TaskTimedOut for the token of an execution that has ended."""

    @functools.wraps(send)
    def sent(self: Any, context: Any, task_token: str, *args: Any, **kwargs: Any) -> Any:
        for execution in list(self.get_store(context).executions.values()):
            if execution.exec_status != ExecutionStatus.RUNNING and execution.exec_worker.env.callback_pool_manager.get(task_token):
                raise TaskTimedOut(_CLOSED)
        return send(self, context, task_token, *args, **kwargs)

    return sent
