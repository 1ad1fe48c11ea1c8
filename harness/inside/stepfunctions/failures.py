"""Under which names a state fails, and which names of a Retry or Catch match.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html"""

from __future__ import annotations

from typing import Any

from jsonpath_ng import parser  # type: ignore[import-untyped]
from localstack.aws.api.stepfunctions import (
    EvaluationFailedEventDetails,
    ExecutionFailedEventDetails,
    HistoryEventType,
    TaskFailedEventDetails,
)
from localstack.services.stepfunctions.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name import StatesErrorName
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails

_ALL, _TASK_FAILED = "States.ALL", "States.TaskFailed"
_FINAL = {"States.DataLimitExceeded", "States.Runtime"}
"""What no wildcard catches."""


class Name(StatesErrorName):
    """A name that an error is known by, beside the one that it is shown with."""

    def __init__(self, shown: StatesErrorNameType, also: str) -> None:
        super().__init__(typ=shown)
        self.also = also


class IntrinsicError(Exception):
    """An intrinsic function could not be evaluated."""


def matches(names: list[Any], error: Any) -> bool:
    """Whether an ErrorEquals of these names catches or retries the error."""
    wanted = {name.error_name for name in names}
    if error.error_name in wanted or getattr(error, "also", None) in wanted:
        return True
    if error.error_name in _FINAL:
        return False
    return _ALL in wanted or (_TASK_FAILED in wanted and error.error_name != "States.Timeout")


def path_not_found(env: Any, error: Any) -> FailureEventException:
    """A path in Parameters, ItemSelector or ResultSelector finds nothing."""
    return _failed(env, Name(StatesErrorNameType.StatesRuntime, "States.ParameterPathFailure"), error.message)


def intrinsic_failed(env: Any, error: IntrinsicError) -> FailureEventException:
    return _failed(env, Name(StatesErrorNameType.StatesRuntime, "States.IntrinsicFailure"), str(error))


def result_path_failed(env: Any, path: str) -> FailureEventException:
    name = StatesErrorName(typ=StatesErrorNameType.StatesResultPathMatchFailure)
    return _failed(env, name, f"Unable to apply the ReferencePath '{path}' to the state's input: a value on its way is no object")


def evaluation_failed(env: Any, expression: str, reason: str) -> FailureEventException:
    """A JSONata expression fails. Writes it to the history, too."""
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    cause = f"The JSONata expression '{expression}' threw an error during evaluation. {reason}"
    details = EvaluationFailedEventDetails(error=name.error_name, cause=cause)
    failed = failed_with(env, name, HistoryEventType.EvaluationFailed, evaluationFailedEventDetails=details)
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(evaluationFailedEventDetails=failed.get_evaluation_failed_event_details()),
    )
    return failed


def heartbeat_stayed_away(event: FailureEvent) -> FailureEventException:
    """What a state makes of a timeout, by both of its names."""
    event.error_name = Name(StatesErrorNameType.StatesTimeout, "States.HeartbeatTimeout")  # type: ignore[misc]
    return FailureEventException(event)


def leads_nowhere(path: str, document: Any) -> bool:
    """Whether a reference path such as `$.a.b` goes through a value that can have no field of this name."""
    steps = parser.parse(path)
    while hasattr(steps, "left"):
        steps = steps.left
        if any(not isinstance(found.value, dict | list) for found in steps.find(document)):
            return True
    return False


def failed_with(env: Any, name: StatesErrorName, event_type: HistoryEventType, **details: Any) -> FailureEventException:
    """What a state fails with: `details` is the part of the history's event that tells of it, by its name."""
    event = FailureEvent(env=env, error_name=name, event_type=event_type, event_details=EventDetails(**details))
    return FailureEventException(event)


def no_choice_matched(env: Any, state: str) -> FailureEventException:
    name = StatesErrorName(typ=StatesErrorNameType.StatesNoChoiceMatched)
    cause = f"An error occurred while executing the state '{state}'. Failed to transition out of the state. The state's choices do not match its input."
    details = ExecutionFailedEventDetails(error=name.error_name, cause=cause)
    return failed_with(env, name, HistoryEventType.ExecutionFailed, executionFailedEventDetails=details)


def _failed(env: Any, name: StatesErrorName, cause: str) -> FailureEventException:
    details = TaskFailedEventDetails(error=name.error_name, cause=cause)
    return failed_with(env, name, HistoryEventType.TaskFailed, taskFailedEventDetails=details)
