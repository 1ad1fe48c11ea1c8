"""RedriveExecution: goes on with the state that failed, with its input, in the same execution. LocalStack has no redrive.

Of a Parallel, a Map or a Distributed Map only what did not succeed goes on (see progress.py). Source:
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from localstack.aws.api.stepfunctions import (
    ExecutionNotRedrivable,
    ExecutionRedrivenEventDetails,
    ExecutionStatus,
    HistoryEventType,
    RedriveExecutionOutput,
    StateMachineType,
)
from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails
from localstack.services.stepfunctions.backend.execution_worker import ExecutionWorker

from harness.inside.stepfunctions.ending import reopened

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

REDRIVABLE_FOR = timedelta(days=14)
_ENDED_BADLY = {ExecutionStatus.FAILED, ExecutionStatus.ABORTED, ExecutionStatus.TIMED_OUT}


class RedriveWorker(ExecutionWorker):  # type: ignore[misc]
    """Evaluates the states of an execution from the one that failed on. The history goes on, and variables are kept."""

    def __init__(self, execution: Any) -> None:
        before = execution.exec_worker
        # Its arguments differ from one LocalStack to the next: it is a copy of the worker before.
        self.__dict__.update(before.__dict__)
        self._execution_communication = type(before._execution_communication)(execution)  # noqa: SLF001 - this is a worker, too
        self._count = execution.redrive_count
        self.env = self._redriven(before.env)
        redriven = {
            "RedriveCount": self._count,
            "RedriveTime": execution.redrive_date.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        self.env.states.context_object.context_object_data["Execution"].update(redriven)

    def _redriven(self, before: Any) -> Any:
        env = self.new_environment()
        env.event_manager = reopened(before.event_manager)
        env.event_history_context.source_event_id = before.event_history_context.source_event_id
        env.event_history_context.last_published_event_id = before.event_history_context.last_published_event_id
        env.map_run_record_pool_manager = before.map_run_record_pool_manager
        env.progress = before.progress
        env.progress.redrive()
        return env

    def _execution_logic(self) -> None:
        program = self._get_evaluation_entrypoint()
        details = ExecutionRedrivenEventDetails(redriveCount=self._count)
        self.env.event_manager.add_event(
            context=self.env.event_history_context,
            event_type=HistoryEventType.ExecutionRedriven,
            event_details=EventDetails(executionRedrivenEventDetails=details),
        )
        program.eval(self.env)
        self._execution_communication.terminated()


def redrive(execution: Any) -> RedriveExecutionOutput:
    """Starts the execution again. Raises ExecutionNotRedrivable for one that succeeded, runs, is express or too old."""
    now = datetime.now(UTC)
    if execution.sm_type != StateMachineType.STANDARD or execution.exec_status not in _ENDED_BADLY:
        raise ExecutionNotRedrivable(
            f"The RedriveExecution request cannot be completed because the execution is {execution.exec_status}"
        )
    if now - execution.stop_date > REDRIVABLE_FOR:
        raise ExecutionNotRedrivable("The execution has exceeded its redrivable period")
    execution.redrive_count = getattr(execution, "redrive_count", 0) + 1
    execution.redrive_date = now
    execution.error = execution.cause = execution.stop_date = None
    execution.exec_worker = RedriveWorker(execution)
    execution.exec_status = ExecutionStatus.RUNNING
    execution.publish_execution_status_change_event()
    execution.exec_worker.start()
    return RedriveExecutionOutput(redriveDate=now)


def told(execution: Any) -> dict[str, Any]:
    """Returns what DescribeExecution says of redrives."""
    count = getattr(execution, "redrive_count", 0)
    redrivable = execution.exec_status in _ENDED_BADLY and execution.sm_type == StateMachineType.STANDARD
    status: dict[str, Any] = {"redriveCount": count, "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE"}
    if count:
        status["redriveDate"] = execution.redrive_date
    if not redrivable:
        status["redriveStatusReason"] = f"Execution is {execution.exec_status} and cannot be redriven"
    return status


def redrive_execution(self: Any, context: RequestContext, execution_arn: str, **_: Any) -> RedriveExecutionOutput:
    """The operation of LocalStack's provider."""
    return redrive(self._get_execution(context=context, execution_arn=execution_arn))
