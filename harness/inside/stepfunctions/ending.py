"""An execution that is stopped, or that runs out of time, ends at once and once.

LocalStack lets it run until its state has ended. A state that waits for a task token does not end. Sources:
https://docs.aws.amazon.com/step-functions/latest/apireference/API_StopExecution.html and
https://docs.aws.amazon.com/step-functions/latest/dg/statemachine-structure.html (TimeoutSeconds)
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from localstack.aws.api.stepfunctions import ExecutionAbortedEventDetails, ExecutionTimedOutEventDetails, HistoryEventType
from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails
from localstack.utils.sync import poll_condition

from harness.inside.stepfunctions import tokens

if TYPE_CHECKING:
    from datetime import datetime

_BEGINS_WITHIN_S = 10


def stop(execution: Any, stop_date: datetime, error: str | None, cause: str | None) -> None:
    """Replaces Execution.stop: when it returns the execution is ABORTED. One that has ended stays as it is."""
    worker = execution.exec_worker
    env = worker.env
    poll_condition(lambda: env.program_state() is not None, timeout=_BEGINS_WITHIN_S, interval=0.01)
    if env.set_stop(stop_date=stop_date, cause=cause, error=error):
        worker._execution_communication.terminated()  # noqa: SLF001 - LocalStack's worker has no other way


def stopped(env: Any, error: str | None, cause: str | None) -> None:
    """Ends what an environment does that has been stopped: an execution, or a branch or an iteration of one."""
    tokens.close(env)
    if not env.is_frame():
        env.event_history_context.source_event_id = 0
        details = ExecutionAbortedEventDetails(error=error, cause=cause)
        _close(env, HistoryEventType.ExecutionAborted, executionAbortedEventDetails=details)


def timed_out(env: Any) -> None:
    """Ends what an environment does that has run out of time."""
    tokens.close(env)
    if not env.is_frame():
        _close(env, HistoryEventType.ExecutionTimedOut, executionTimedOutEventDetails=ExecutionTimedOutEventDetails())


def _close(env: Any, event_type: HistoryEventType, **details: Any) -> None:
    """Adds the last event to a history. States that still run can add no more."""
    history = env.event_manager
    with history.turn:
        history.add_event(context=env.event_history_context, event_type=event_type, event_details=EventDetails(**details))
        history.is_closed = True


def reopened(history: Any) -> Any:
    """Returns the history for a redrive: it has the events so far and takes new ones. States of the earlier attempt that still run can add none."""
    again = copy.copy(history)
    history.is_closed = True
    again.is_closed = False
    return again
