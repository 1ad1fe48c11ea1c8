"""Patches of Step Functions for how executions begin and end: what harness/inside/stepfunctions/ending.py needs."""

from __future__ import annotations

import functools
import threading
from typing import Any

from harness.inside.patches.declare import NAME, patch

EXPRESS_S = 300
_STEPFUNCTIONS = "localstack.services.stepfunctions"


@patch(
    f"{_STEPFUNCTIONS}.backend.execution_worker",
    {"ExecutionWorker.__init__": ("self", "evaluation_details"), "ExecutionWorker._get_evaluation_environment": ("self",)},
)
def beginnings(module: Any) -> None:
    """LocalStack makes the environment of an execution in the execution's thread. A SendTaskSuccess that comes before that thread runs reads the
    missing environment, and is answered with status 500. LocalStack's context object has no RedriveCount: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html"""
    worker = module.ExecutionWorker
    begin, make = worker.__init__, worker._get_evaluation_environment  # noqa: SLF001

    def begun(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self.env = self.new_environment()
        self.env.states.context_object.context_object_data["Execution"]["RedriveCount"] = 0

    worker.__init__ = begun
    worker.new_environment, worker._get_evaluation_environment = make, lambda self: self.env  # noqa: SLF001


@patch(
    f"{_STEPFUNCTIONS}.asl.eval.environment",
    {
        "Environment.set_stop": ("self", "stop_date", "cause", "error"),
        "Environment.set_error": ("self", "error"),
        "Environment.set_timed_out": ("self",),
        "Environment.is_running": ("self",),
        "Environment._state_mutex": NAME,
    },
)
def first_end(module: Any) -> None:
    """LocalStack changes the state of a stopped or timed-out execution to failed when the task that it was running fails."""
    environment = module.Environment
    set_stop, set_error, set_timed_out = environment.set_stop, environment.set_error, environment.set_timed_out

    def stop(self: Any, stop_date: Any, cause: str | None, error: str | None) -> bool:
        from harness.inside.stepfunctions import ending  # noqa: PLC0415

        with self._state_mutex:
            if not self.is_running():
                return False
            set_stop(self, stop_date=stop_date, cause=cause, error=error)
            ending.stopped(self, error, cause)
            return True

    def fail(self: Any, error: Any) -> None:
        with self._state_mutex:
            if self.is_running():
                set_error(self, error=error)

    def time_out(self: Any) -> None:
        from harness.inside.stepfunctions import ending  # noqa: PLC0415

        with self._state_mutex:
            if self.is_running():
                set_timed_out(self)
                ending.timed_out(self)

    environment.set_stop, environment.set_error, environment.set_timed_out = stop, fail, time_out


@patch(
    f"{_STEPFUNCTIONS}.asl.eval.event.event_manager",
    {"EventManager.__init__": ("self", "cloud_watch_logging_session"), "EventManager.add_event": ("self", "context", "event_type")},
)
def histories(module: Any) -> None:
    """LocalStack adds events to a history after the execution has been stopped or has timed out."""
    manager = module.EventManager
    begin, add = manager.__init__, manager.add_event

    def begun(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self.turn, self.is_closed = threading.RLock(), False

    def add_event(self: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        with self.turn:
            return context.last_published_event_id if self.is_closed else add(self, context, *args, **kwargs)

    manager.__init__, manager.add_event = begun, add_event


@patch(
    f"{_STEPFUNCTIONS}.backend.execution",
    {
        "Execution.stop": ("self", "stop_date", "error", "cause"),
        "BaseExecutionWorkerCommunication.__init__": ("self", "execution"),
        "BaseExecutionWorkerCommunication.terminated": ("self",),
        "BaseExecutionWorkerCommunication._reflect_execution_status": ("self",),
        "ProgramEnded": NAME,
        "ProgramError": NAME,
        "ProgramStopped": NAME,
    },
)
def ends(module: Any) -> None:
    """LocalStack shows an execution as SUCCEEDED a moment before it has its output, and as FAILED before it has its error: who looks
    then, such as a state that waits for an execution (.sync), finds none. LocalStack shows a stopped execution as RUNNING until its state has ended."""
    communication = module.BaseExecutionWorkerCommunication
    begin, reflect, terminated = communication.__init__, communication._reflect_execution_status, communication.terminated  # noqa: SLF001

    def whole(self: Any) -> None:
        env = self.execution.exec_worker.env
        state = env.program_state()
        if isinstance(state, module.ProgramEnded):
            self.execution.output = env.states.get_input()
        elif isinstance(state, module.ProgramError):
            self.execution.error, self.execution.cause = state.error.get("error"), state.error.get("cause")
        elif isinstance(state, module.ProgramStopped):
            self.execution.error, self.execution.cause = state.error, state.cause
        reflect(self)

    def begun(self: Any, execution: Any) -> None:
        begin(self, execution)
        self.left_to_tell = [execution]

    def once(self: Any) -> None:
        try:
            self.left_to_tell.pop()
        except IndexError:
            return
        terminated(self)

    def stop(self: Any, stop_date: Any, error: str | None, cause: str | None) -> None:
        from harness.inside.stepfunctions import ending  # noqa: PLC0415

        ending.stop(self, stop_date, error, cause)

    communication.__init__, communication._reflect_execution_status, communication.terminated = begun, whole, once  # noqa: SLF001
    module.Execution.stop = stop


@patch(
    f"{_STEPFUNCTIONS}.asl.component.program.program",
    {"Program.eval": ("self", "env"), "Program.timeout_seconds": NAME, "TimeoutSeconds": NAME},
)
def programs(module: Any) -> None:
    """LocalStack lets an Express execution run for as long as it likes. AWS ends it after five minutes:
    https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
    LocalStack raises an error in the thread of a branch that begins after the execution was stopped, and then waits for that branch for ever."""
    original = module.Program.eval

    @functools.wraps(original)
    def bounded(self: Any, env: Any) -> None:
        if env.program_state() is not None and not env.is_running():
            return
        if not env.is_standard_workflow() and not env.is_frame():
            own = self.timeout_seconds.timeout_seconds if self.timeout_seconds else EXPRESS_S
            self.timeout_seconds = module.TimeoutSeconds(min(own, EXPRESS_S))
        original(self, env)

    module.Program.eval = bounded


PATCHES = (beginnings, first_end, histories, ends, programs)
