"""A Distributed Map's run: its children side by side, how many of them may fail, and what became of each.

LocalStack succeeds whatever its children do, and starts a thread per item. Source:
https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from localstack.aws.api.stepfunctions import HistoryEventType, MapRunFailedEventDetails, MapRunStatus
from localstack.services.stepfunctions.asl.component.common.error_name.failure_event import FailureEventException
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name import StatesErrorName
from localstack.services.stepfunctions.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from localstack.services.stepfunctions.asl.component.common.timeouts.timeout import EvalTimeoutError
from localstack.services.stepfunctions.asl.component.state.state_execution.state_map.iteration.job import JobPool
from localstack.services.stepfunctions.asl.eval.event.event_detail import EventDetails
from localstack.services.stepfunctions.asl.eval.event.event_manager import EventManager
from localstack.services.stepfunctions.asl.eval.program_state import ProgramError, ProgramStopped
from localstack.services.stepfunctions.asl.eval.states import ItemData, MapData

from harness.inside.stepfunctions.batches import Batch, batches
from harness.inside.stepfunctions.failures import failed_with
from harness.inside.stepfunctions.progress import stop_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_AT_ONCE = 40
"""How many children run at once where MaxConcurrency does not say. AWS starts up to 10,000; each is a thread here."""
UNSUCCESSFUL = {"FAILED", "TIMED_OUT", "ABORTED"}
EXCEEDED = StatesErrorNameType.StatesExceedToleratedFailureThreshold


@dataclass(slots=True)
class Child:
    """One child workflow: its input and output as JSON values, how many items it has, and times in seconds since the epoch."""

    index: int
    input: Any
    items: int
    name: str
    status: str = "PENDING"
    output: Any = None
    error: str = ""
    cause: str = ""
    started_at_s: float = 0.0
    stopped_at_s: float = 0.0
    redrives: int = 0


class Run:
    """The children of one Map Run. It belongs to LocalStack's MapRunRecord, which has the counters and the tolerance."""

    def __init__(self, record: Any, inputs: Sequence[Any]) -> None:
        self.record = record
        self.inputs = inputs
        self.children = [
            Child(number, one, len(one.items) if isinstance(one, Batch) else 1, str(uuid4())) for number, one in enumerate(inputs)
        ]
        self._lock = threading.Lock()

    def begin(self, child: Child) -> None:
        """Counts a child as running."""
        is_first = not child.started_at_s
        child.status, child.started_at_s = "RUNNING", time.time()
        for counter, step in self._counters(child):
            counter.total.count(step if is_first else 0)
            counter.running.count(step)

    def end(self, child: Child, status: str, *, output: Any = None, error: str = "", cause: str = "") -> None:
        """Counts a child as ended: SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
        child.status, child.output, child.error, child.cause, child.stopped_at_s = status, output, error, cause, time.time()
        self._count_as_ended(child, 1)
        for counter, step in self._counters(child):
            counter.running.count(-step)

    def redrive(self) -> None:
        """Lets every child that did not succeed wait to be run again."""
        for child in self.children:
            if child.status == "RUNNING":
                self.end(child, "ABORTED")
            if child.status in UNSUCCESSFUL:
                self._count_as_ended(child, -1)
                child.status, child.error, child.cause = "PENDING", "", ""
                child.redrives += 1

    def _count_as_ended(self, child: Child, times: int) -> None:
        for counter, step in self._counters(child):
            getattr(counter, child.status.lower()).count(times * step)
            counter.results_written.count(times * step)

    def _counters(self, child: Child) -> list[tuple[Any, int]]:
        return [(self.record.execution_counter, 1), (self.record.item_counter, child.items)]

    def is_exceeded(self) -> bool:
        """Returns whether more items have failed than are tolerated. Either bound alone counts where only one is set; without any, none may fail."""
        with self._lock:
            total = sum(child.items for child in self.children)
            failed = sum(child.items for child in self.children if child.status in UNSUCCESSFUL)
        count, percentage = self.record.tolerated_failure_count, self.record.tolerated_failure_percentage
        if not percentage:
            return bool(failed > count)
        return bool(failed * 100 > percentage * total or (count and failed > count))

    def failure(self, env: Any) -> FailureEventException:
        """Returns what the Map state fails with."""
        name = StatesErrorName(typ=EXCEEDED)
        details = MapRunFailedEventDetails(error=name.error_name, cause="The specified tolerated failure threshold was exceeded")
        return failed_with(env, name, HistoryEventType.MapRunFailed, mapRunFailedEventDetails=details)


def evaluate(component: Any, env: Any) -> None:
    """Replaces DistributedIterationComponent._eval_body: runs the children, and writes what became of them, also where the run fails."""
    eval_input = env.stack.pop()
    record = eval_input.map_run_record = _begun(env, eval_input.map_run_record)
    history = env.event_manager
    try:
        if not hasattr(record, "children"):
            record.children = Run(record, _inputs(component, env, eval_input))
        env.event_manager = EventManager()
        _run_children(component, env, eval_input)
    except Exception as failure:
        env.event_manager = history
        error, cause = (failure.extract_error_cause_pair() if isinstance(failure, FailureEventException) else None) or ("", "")
        details = MapRunFailedEventDetails(**{key: text for key, text in (("error", error), ("cause", cause)) if text})
        _tell(env, HistoryEventType.MapRunFailed, mapRunFailedEventDetails=details)
        record.set_stop(status=MapRunStatus.FAILED if env.is_running() else MapRunStatus.ABORTED)
        if component.result_writer and hasattr(record, "children"):
            env.stack.append(None)
            component.result_writer.eval(env)
            env.stack.pop()
        raise
    env.event_manager = history
    if env.is_running():
        _tell(env, HistoryEventType.MapRunSucceeded)
    record.set_stop(status=MapRunStatus.SUCCEEDED if env.is_running() else MapRunStatus.ABORTED)


def _begun(env: Any, record: Any) -> Any:
    """Returns the record of the Map Run: the one of before where a redrive goes on with it."""
    before = env.progress.map_run
    if not env.progress.attempt() or before is None:
        env.progress.map_run = record
        _tell(env, HistoryEventType.MapRunStarted, mapRunStartedEventDetails={"mapRunArn": record.map_run_arn})
        return record
    env.map_run_record_pool_manager._pool.pop(record.map_run_arn)  # noqa: SLF001 - there is no public way to take one out
    before.status, before.stop_date = MapRunStatus.RUNNING, None
    before.redrive_count = getattr(before, "redrive_count", 0) + 1
    before.redrive_date = datetime.now(UTC)
    if hasattr(before, "children"):
        before.children.redrive()
    details = {"mapRunArn": before.map_run_arn, "redriveCount": before.redrive_count}
    _tell(env, HistoryEventType.MapRunRedriven, mapRunRedrivenEventDetails=details)
    return before


def _tell(env: Any, event_type: HistoryEventType, **details: Any) -> None:
    env.event_manager.add_event(context=env.event_history_context, event_type=event_type, event_details=EventDetails(**details))


def _inputs(component: Any, env: Any, eval_input: Any) -> Sequence[Any]:
    """Returns the input of each child: an item, or a batch of them."""
    items = eval_input.input_items
    if eval_input.item_reader:
        eval_input.item_reader.eval(env=env)
        items = env.stack.pop()
    batcher = component.extras.get("ItemBatcher")
    return items if batcher is None else batches(items, batcher, env.states.get_input())


def _run_children(component: Any, env: Any, eval_input: Any) -> None:
    """Evaluates the children that have not succeeded, and puts the outputs of all onto the stack."""
    record = eval_input.map_run_record
    inputs = record.children.inputs
    if component.extras.get("ExecutionType") == "EXPRESS":
        # An express workflow cannot be redriven: the child is run anew.
        env.progress.parts = {}
    if not inputs:
        env.stack.append([])
        return
    pool = JobPool(job_program=component._get_iteration_program(), job_inputs=inputs)  # noqa: SLF001
    for _ in range(min(len(inputs), record.max_concurrency or MOST_AT_ONCE)):
        component._launch_worker(env=env, eval_input=eval_input, job_pool=pool)  # noqa: SLF001
    pool.await_jobs()
    failure = pool.get_worker_exception()
    if failure is not None:
        stop_frames(env)
        raise failure
    env.stack.append([job.job_output for job in pool.get_closed_jobs()])


def eval_job(worker: Any, env: Any, job: Any) -> None:
    """Replaces DistributedItemProcessorWorker._eval_job: evaluates one child. Its output is an exception where the run fails with it."""
    children: Run = worker._map_run_record.children  # noqa: SLF001
    child = children.children[job.job_index]
    job.job_output = child.output
    if child.status == "SUCCEEDED":
        return
    env.progress = env.progress.part(job.job_index)
    attempt = child.redrives
    children.begin(child)
    ended = _evaluated(worker, env, job, child)
    if child.redrives == attempt:
        # Else a redrive has begun while this attempt was on its last state.
        children.end(child, **ended)
    job.job_output = child.output
    if child.status != "SUCCEEDED" and children.is_exceeded():
        job.job_output = children.failure(env)


def _evaluated(worker: Any, env: Any, job: Any, child: Child) -> dict[str, Any]:
    """Evaluates the states of a child. Returns how it has ended, as Run.end takes it."""
    try:
        _enter(worker, env, job, child)
        job.job_program.eval(env)
        ended = env.program_state()
        if isinstance(ended, ProgramError):
            error = ended.error or {}
            return {"status": "FAILED", "error": error.get("error") or "", "cause": error.get("cause") or ""}
        if isinstance(ended, ProgramStopped):
            return {"status": "ABORTED", "error": str(ended.error or ""), "cause": str(ended.cause or "")}
        return {"status": "SUCCEEDED", "output": env.states.get_input()}
    except EvalTimeoutError:
        return {"status": "TIMED_OUT", "error": "States.Timeout"}
    except FailureEventException as failure:
        error, cause = failure.extract_error_cause_pair() or ("", "")
        return {"status": "FAILED", "error": error or "", "cause": cause or ""}
    except Exception as failure:  # noqa: BLE001 - whatever a child fails with, the run goes on with the others
        return {"status": "FAILED", "error": "States.Runtime", "cause": str(failure)}


def _enter(worker: Any, env: Any, job: Any, child: Child) -> None:
    """Makes the child's input: what the ItemSelector makes of its item, or of each item of its batch."""
    if not isinstance(job.job_input, Batch):
        child.input = _selected(worker, env, job.job_index, job.job_input)
        return
    first = job.job_input.first
    chosen = [_selected(worker, env, first + at, item) for at, item in enumerate(job.job_input.items)]
    child.input = {"Items": chosen} | ({"BatchInput": job.job_input.shared} if job.job_input.shared is not None else {})
    env.states.reset(child.input)
    env.stack.append(env.states.get_input())


def _selected(worker: Any, env: Any, index: int, item: Any) -> Any:
    env.states.context_object.context_object_data["Map"] = MapData(Item=ItemData(Index=index, Value=item))
    env.states.reset(item)
    env.stack.append(env.states.get_input())
    worker._eval_input(env_frame=env)  # noqa: SLF001
    return json.loads(json.dumps(env.states.get_input()))
