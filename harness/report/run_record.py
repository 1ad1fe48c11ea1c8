"""What every run leaves for programs: events.jsonl while it goes on, result.json at its end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness import interrupts
from harness.errors import UnknownVerdictError
from harness.report.event_log import EventLog
from harness.report.result import write_result
from harness.run import events

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path


def record(
    run_dir: Path, run: Generator[events.Event], show: Callable[[events.Event], None] = lambda _: None
) -> events.RunFinished:
    """Writes the events of a run as they come, shows each, and returns the last one."""
    finished: events.RunFinished | None = None
    with _written_down(run_dir), EventLog(run_dir / "events.jsonl") as log:
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                event = next(run) if interrupt is None else run.throw(interrupt)
            except StopIteration:
                break
            interrupt = None
            try:
                with interrupts.held():
                    log.write(event)
                    if isinstance(event, events.RunFinished):
                        finished = event
                        write_result(event)
                show(event)
            except KeyboardInterrupt as came:
                # The run is told, so that it can end, and its result be written.
                interrupt = came
    assert finished is not None
    return finished


@contextmanager
def _written_down(run_dir: Path) -> Iterator[None]:
    """Says of an OSError what could not be done: `conduct` turns its own into a verdict, so that it is about the run's directory."""
    try:
        yield
    except OSError as error:
        message = f"{error.strerror or error} ({error.filename or run_dir}): the run could not be written down"
        raise UnknownVerdictError(message) from error
