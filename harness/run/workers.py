"""Several processes offer one load: each makes all of it, offers its share, and writes a part of the ledger."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from harness import interrupts
from harness.accounting.ledger import Fingerprint, Ledger
from harness.errors import UnknownVerdictError, UsageError
from harness.parts.units import File
from harness.run.offering import offer, units
from harness.run.recipe import open_load
from harness.run.replay import kept
from harness.run.share import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from harness.accounting.ledger_parts import JoinedLedger
    from harness.accounting.record import Status
    from harness.parts.ports import Context, Ingress, Load
    from harness.run.coverage import Coverage

_TELLS_EVERY_S = 0.2
_ENDS_WITHIN_S = 10
_RECORDS_PER_LOOK = 1000


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker is told. The recipe is in the run's directory; `send` has the keys of its ingress, without references."""

    context: Context
    send: Mapping[str, Any]
    number: int
    of: int
    part: Path


@dataclass(frozen=True, slots=True)
class _Said:
    """What a worker tells. At its end it has the hash of the whole load, or an error."""

    counts: Mapping[Status, int]
    fingerprint: str = ""
    error: Exception | None = None


def offer_by_workers(load: Load, ingress: Ingress, context: Context, ledger: JoinedLedger, coverage: Coverage) -> Generator[None]:
    """Offers the load by as many workers as the ledger has parts, which all begin at once. Yields while they work; then the ledger is complete.

    Raises UnknownVerdictError where a worker dies or fails, or where one makes another load than this process: then the source is no function of its seed."""
    # A worker ends with this process: it needs no check that only this one can make.
    told = replace(context, check=_nothing)
    send = ingress.model_dump(serialize_as_any=True, exclude_unset=True)
    tasks = [_Task(told, send, number, len(ledger.parts), part) for number, part in enumerate(ledger.parts)]
    crew = _Crew(ledger)
    try:
        for task in tasks:
            crew.hire(task)
        yield from crew.heard_until(lambda: crew.ready, context.check)
        crew.begin()
        fingerprint, number = Fingerprint(), 0
        # The same records are made here, for what is told of the load as a whole.
        for unit in units(load, ingress):
            if isinstance(unit, File):
                coverage.file(unit)
            for record in unit.records() if isinstance(unit, File) else (unit,):
                fingerprint.add(record)
                coverage.record(record)
                number += 1
                if number % _RECORDS_PER_LOOK == 0:
                    yield from crew.heard(0)
                    context.check()
        yield from crew.heard_until(lambda: crew.done, context.check)
        for worker, of_worker in enumerate(crew.fingerprints, 1):
            if of_worker != fingerprint.text:
                raise UnknownVerdictError(
                    f"worker {worker} made another load than the harness: the source does not yield the same records for the same seed"
                )
        ledger.join(number, fingerprint.text)
    finally:
        crew.dismiss()


class _Crew:
    """The workers, and what was heard of them."""

    def __init__(self, ledger: JoinedLedger) -> None:
        self._ledger = ledger
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection] = []
        self._at_work: list[Connection] = []
        self._ready = 0
        self.fingerprints: list[str] = []

    @property
    def ready(self) -> bool:
        """Returns whether all wait for the beginning."""
        return self._ready == len(self._processes)

    @property
    def done(self) -> bool:
        """Returns whether all have offered their shares."""
        return all(self.fingerprints)

    def hire(self, task: _Task) -> None:
        """Starts a worker."""
        spawning = multiprocessing.get_context("spawn")
        ours, theirs = spawning.Pipe()
        process = spawning.Process(target=_work, args=(task, theirs), name=f"pipeproof-worker-{task.number + 1}", daemon=True)
        # It unblocks what it has blocked for its own process, so it comes first.
        resource_tracker.ensure_running()
        with interrupts.held():
            # A terminal's Ctrl-C goes to all its processes: it is this one that ends the others.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
            try:
                process.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._processes.append(process)
        theirs.close()
        self._connections.append(ours)
        self._at_work.append(ours)
        self.fingerprints.append("")

    def begin(self) -> None:
        """Lets all begin."""
        for connection in self._connections:
            # Of one that is gone `heard` tells.
            with contextlib.suppress(OSError):
                connection.send(None)

    def heard_until(self, reached: Callable[[], bool], check: Callable[[], None]) -> Iterator[None]:
        """Hears the workers until something is so."""
        while not reached():
            yield from self.heard(_TELLS_EVERY_S)
            check()

    def heard(self, timeout_s: float) -> Iterator[None]:
        """Hears what any worker says within this time. Raises what a worker raised, and UnknownVerdictError where one is gone."""
        for connection in wait(self._at_work, timeout_s):
            assert isinstance(connection, Connection)
            number = self._connections.index(connection)
            try:
                said: _Said | None = connection.recv()
            except (EOFError, ConnectionError):
                process = self._processes[number]
                process.join(_ENDS_WITHIN_S)
                raise UnknownVerdictError(
                    f"worker {number + 1} of {len(self._processes)} ended before it had offered its share ({_ended(process)})"
                ) from None
            if said is None:
                self._ready += 1
                continue
            if said.error is not None:
                raise said.error
            if said.fingerprint:
                self.fingerprints[number] = said.fingerprint
                self._at_work.remove(connection)
            self._ledger.heard(number, said.counts)
            yield

    def dismiss(self) -> None:
        """Ends those that still work: what they have written is not needed then."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()
        for connection in self._connections:
            connection.close()


def _ended(process: BaseProcess) -> str:
    code = process.exitcode
    return "it still runs" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"


def require_shareable(ingress: Ingress) -> None:
    """Raises UsageError where only one process may have this ingress open."""
    # What another class says is of that class: one that is made of it may keep something.
    if not type(ingress).__dict__.get("shareable", False):
        named = f"to: {ingress.to}" if ingress.to else f"use: {ingress.use}"
        raise UsageError(f"--workers: send ({named}) cannot be open in several processes at once")


def _nothing() -> None:
    """Checks nothing."""


def _work(task: _Task, connection: Connection) -> None:
    """Is a worker."""
    threading.Thread(target=_end_with_the_harness, name="end-with-the-harness", daemon=True).start()
    try:
        said = _offer_share(task, connection)
    except _GoneError:
        return
    except UsageError as error:
        said = _Said({}, error=error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the share was not offered: the run has no verdict, and says why
        said = _Said({}, error=UnknownVerdictError(f"worker {task.number + 1} of {task.of}: {type(error).__name__}: {error}"))
    with contextlib.suppress(_GoneError):
        _tell(connection, said)


def _offer_share(task: _Task, connection: Connection) -> _Said:
    recipe = kept(task.context.run_dir)
    ingress = type(recipe.scenario.send).model_validate(task.send)
    share = Share(units(open_load(recipe), ingress), task.number, task.of)
    _tell(connection, None)
    _hear(connection)
    told = time.monotonic()
    with Ledger(task.part) as ledger, contextlib.closing(offer(share.units(), ingress, task.context, share=share)) as offers:
        for batch in offers:
            for record, answer in batch:
                ledger.add(record, answer, share.places.popleft())
            if time.monotonic() - told > _TELLS_EVERY_S:
                told = time.monotonic()
                _tell(connection, _Said(dict(ledger.counts)))
    return _Said(dict(ledger.counts), share.fingerprint.text)


class _GoneError(Exception):
    """The harness listens no more."""


def _tell(connection: Connection, said: _Said | None) -> None:
    try:
        connection.send(said)
    except OSError as error:
        raise _GoneError from error


def _hear(connection: Connection) -> None:
    try:
        connection.recv()
    except (OSError, EOFError) as error:
        raise _GoneError from error


def _end_with_the_harness() -> None:
    harness = multiprocessing.parent_process()
    assert harness is not None
    harness.join()
    os._exit(1)
