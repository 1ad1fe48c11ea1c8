"""How executions begin and end: the patches, and what they call."""

import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import ClassVar

import pytest

from harness.inside.patches import ends_of_executions
from harness.inside.stepfunctions import ending
from harness.inside.stepfunctions.ending import stop


def test_an_execution_is_stopped_once_its_thread_has_begun():
    """Before that LocalStack's environment cannot be stopped."""
    asked, told = [], []

    def program_state():
        asked.append(1)
        return None if len(asked) < 3 else "running"

    env = SimpleNamespace(program_state=program_state, set_stop=lambda **_: len(asked) >= 3)
    worker = SimpleNamespace(env=env, _execution_communication=SimpleNamespace(terminated=lambda: told.append("ended")))
    stop(SimpleNamespace(exec_worker=worker), datetime.now(UTC), "E", "C")
    assert told == ["ended"]
    env.set_stop = lambda **_: False
    stop(SimpleNamespace(exec_worker=worker), datetime.now(UTC), "E", "C")
    assert told == ["ended"]


@pytest.mark.parametrize(
    ("express", "frame", "own", "bound"),
    [(True, False, None, 300), (True, False, 7, 7), (True, False, 900, 300), (True, True, None, None), (False, False, None, None)],
)
def test_an_express_execution_has_five_minutes_at_most(express, frame, own, bound):
    class TimeoutSeconds:
        def __init__(self, timeout_seconds):
            self.timeout_seconds = timeout_seconds

    class Program:
        timeout_seconds = TimeoutSeconds(own) if own else None

        def eval(self, _):
            given.append(self.timeout_seconds.timeout_seconds if self.timeout_seconds else None)

    given = []
    ends_of_executions.programs.apply(SimpleNamespace(Program=Program, TimeoutSeconds=TimeoutSeconds))
    Program().eval(SimpleNamespace(is_standard_workflow=lambda: not express, is_frame=lambda: frame, program_state=lambda: None))
    assert given == [bound]


def test_a_branch_that_is_to_begin_when_its_execution_has_been_stopped_does_not():
    class Program:
        timeout_seconds = None

        def eval(self, env):
            begun.append(env)

    begun = []
    ends_of_executions.programs.apply(SimpleNamespace(Program=Program))
    running, stopped = (
        SimpleNamespace(
            is_frame=lambda: True, is_standard_workflow=lambda: True, program_state=object, is_running=lambda runs=runs: runs
        )
        for runs in (True, False)
    )
    Program().eval(running)
    Program().eval(stopped)
    assert begun == [running]


class State:
    """As LocalStack's program states: how an execution has ended."""

    error: ClassVar = {"error": "E", "cause": "as told"}


class Stopped:
    """As LocalStack's state of one that was stopped."""

    error, cause = "E", "by hand"


@pytest.fixture
def ended():
    """Returns a function: what an execution shows, each time that it is told of, when it has ended so and its worker tells it as often as asked."""

    def tell(state, times=1):
        kinds = {
            "ProgramEnded": type("Ended", (State,), {}),
            "ProgramError": type("Error", (State,), {}),
            "ProgramStopped": Stopped,
        }
        env = SimpleNamespace(program_state=kinds[state], states=SimpleNamespace(get_input=lambda: "out"))
        execution = SimpleNamespace(exec_worker=SimpleNamespace(env=env), output=None, error=None, cause=None)
        seen = []

        class BaseExecutionWorkerCommunication:
            def __init__(self, execution):
                self.execution = execution

            def _reflect_execution_status(self):
                seen.append((self.execution.output, self.execution.error, self.execution.cause))

            def terminated(self):
                self._reflect_execution_status()

        module = SimpleNamespace(
            BaseExecutionWorkerCommunication=BaseExecutionWorkerCommunication, Execution=SimpleNamespace(), **kinds
        )
        ends_of_executions.ends.apply(module)
        communication = module.BaseExecutionWorkerCommunication(execution)
        for _ in range(times):
            communication.terminated()
        return seen

    return tell


@pytest.mark.parametrize(
    ("state", "shows"),
    [
        ("ProgramEnded", ("out", None, None)),
        ("ProgramError", (None, "E", "as told")),
        ("ProgramStopped", (None, "E", "by hand")),
    ],
)
def test_an_execution_has_its_output_and_its_error_before_it_is_shown_as_ended(ended, state, shows):
    assert ended(state) == [shows]


def test_an_execution_ends_once_though_its_thread_comes_to_an_end_after_it_was_stopped(ended):
    assert len(ended("ProgramStopped", times=2)) == 1


def test_an_execution_has_its_environment_before_its_thread_begins():
    """Until then the answer to a task of any other execution failed: LocalStack asks all that are shown as running."""

    class ExecutionWorker:
        env = None

        def __init__(self, evaluation_details):
            self.details = evaluation_details

        def _get_evaluation_environment(self):
            context = {"Execution": {"Id": self.details}}
            return SimpleNamespace(states=SimpleNamespace(context_object=SimpleNamespace(context_object_data=context)))

    ends_of_executions.beginnings.apply(SimpleNamespace(ExecutionWorker=ExecutionWorker))
    worker = ExecutionWorker("arn")
    assert worker.env.states.context_object.context_object_data == {"Execution": {"Id": "arn", "RedriveCount": 0}}
    assert worker._get_evaluation_environment() is worker.env


@pytest.mark.parametrize("later", ["set_error", "set_timed_out"])
def test_what_comes_after_an_execution_was_stopped_does_not_change_how_it_ended(later, monkeypatch):
    """Its state may still fail, or its time may run out."""

    class Environment:
        """As LocalStack's: each of these replaces the state."""

        def __init__(self):
            self._state_mutex = threading.RLock()
            self.state = "running"

        def is_running(self):
            return self.state == "running"

        def set_stop(self, stop_date, cause, error):
            self.state = "stopped"

        def set_error(self, error):
            self.state = "failed"

        def set_timed_out(self):
            self.state = "timed out"

    monkeypatch.setattr(ending, "stopped", lambda *_: None)
    monkeypatch.setattr(ending, "timed_out", lambda *_: None)
    ends_of_executions.first_end.apply(SimpleNamespace(Environment=Environment))
    given = {"set_error": {"error": {}}, "set_timed_out": {}}[later]
    stopped, running = Environment(), Environment()
    assert stopped.set_stop(stop_date=None, cause=None, error=None)
    assert not stopped.set_stop(stop_date=None, cause=None, error=None)
    for environment in (stopped, running):
        getattr(environment, later)(**given)
    assert (stopped.state, running.state) == ("stopped", {"set_error": "failed", "set_timed_out": "timed out"}[later])
