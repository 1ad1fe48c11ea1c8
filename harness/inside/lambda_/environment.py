"""One execution environment: a process that runs the function's runtime, its /tmp, its log, its memory limit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from harness.inside import callers
from harness.inside.lambda_ import errors
from harness.inside.lambda_.invocation_log import Figures, as_json, as_text
from harness.inside.lambda_.private_tmp import command_with_private_tmp
from harness.inside.lambda_.runtime_api import Invocation, Reply, RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.inside.callers import Caller
    from harness.inside.lambda_.injected import Injection

INIT_TIMEOUT_S = 10
"""Lambda gives an init ten seconds; one that fails or takes longer is done again inside the first invocation's time."""

_WATCH_S = 0.05
_MB = 1024 * 1024
_STATUS_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """Time-out in seconds, memory size in MB."""

    timeout_s: float
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A reply, and what CloudWatch Logs gets for it."""

    reply: Reply
    log: str


class Environment:
    """Runs `command` with exactly `variables` as its environment. What it needs besides `cwd` is in `visible`, as it may lie below the
    /tmp that is replaced. Not shared between threads: one invocation at a time."""

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        cwd: Path,
        limits: Limits,
        visible: Sequence[Path] = (),
        opt: Path | None = None,
        doomed: Callable[[], bool] = lambda: False,
        edition: Callable[[], int] = lambda: 0,
    ) -> None:
        """`opt` is what the process finds at /opt, where that is possible. `doomed` says at every init whether the fault plan kills it; `edition` which state the code
        has: where it is another than at the init, the next invocation begins with an init."""
        self._doomed = doomed
        self._edition = edition
        self._began_with = 0
        self._cwd = cwd
        self._limits = limits
        self._api = RuntimeApi()
        self._root = Path(tempfile.mkdtemp(prefix="lambda-env-"))
        self._tmp = self._root / "tmp"
        self._tmp.mkdir()
        self._log = self._root / "log"
        self._log.touch()
        self._variables = {**variables, "AWS_LAMBDA_RUNTIME_API": self._api.address}
        private = command_with_private_tmp(command, self._tmp, cwd, visible, opt)
        self._command = private or list(command)
        if private is None:
            self._variables["TMPDIR"] = str(self._tmp)
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = threading.Lock()
        self._status: int | None = None
        """The open /proc/PID/status: every invocation reads it."""
        self._initialised = False
        self._init_ms: float | None = None
        self._peak_mb = 0.0

    def start(self) -> None:
        """Begins the init and waits for it, ten seconds at most. A failed init shows at the first invocation, as on AWS."""
        self._init(time.monotonic() + INIT_TIMEOUT_S, request_id="")

    def invoke(self, invocation: Invocation, version: str, injections: Sequence[Injection], caller: Caller) -> Outcome:
        """Runs one invocation to its reply, its time-out, or the end of the process, with the faults that it is to meet."""
        started = time.monotonic()
        deadline = started + self._limits.timeout_s
        request_id = invocation.request_id
        self._signal(signal.SIGCONT)
        if self._warm and not self._api.ready():
            # A runtime that ends itself after it has reported an error may have been frozen before its end.
            self._until(self._api.ready, deadline, request_id)
        failure = None if self._warm else self._init(deadline, request_id)
        if failure is None:
            failure = self._run(invocation, deadline, injections, caller)
        else:
            for injection in injections:
                injection.event.came_to_nothing()
        # Frozen until the next invocation, as on AWS: work that a handler leaves running does not go on.
        self._signal(signal.SIGSTOP)
        reply = failure or self._api.reply
        assert reply is not None
        return Outcome(reply, self._report(request_id, version, failure, (time.monotonic() - started) * 1000))

    def _run(self, invocation: Invocation, deadline: float, injections: Sequence[Injection], caller: Caller) -> Reply | None:
        """Gives the event to the runtime and waits for its reply. None where it came, else the reply of the failure."""
        fault: Injection | None = None
        for injection in injections:
            if injection.fault.kind != "lambda_slow":
                fault = injection
            elif (failure := self._delay(injection, invocation, deadline)) is not None:
                return failure
        kind = fault.fault.kind if fault else ""
        if fault is not None and kind in {"lambda_error_before", "lambda_killed_before"}:
            return self._spoil(fault, invocation)
        if fault is not None and kind == "lambda_killed_during":
            armed = fault
            callers.after_calls(caller, fault.fault.after_calls, lambda: self._kill_during(armed, invocation))
        self._api.submit(invocation)
        failure = self._until(self._api.replied, deadline, invocation.request_id)
        if callers.no_longer(caller) and fault is not None:
            # It has made fewer calls than the fault waits for.
            fault.event.came_to_nothing()
        elif fault is not None and kind != "lambda_killed_during":
            if failure is None:
                return self._spoil(fault, invocation)
            fault.event.came_to_nothing()
        return failure

    def _delay(self, injection: Injection, invocation: Invocation, deadline: float) -> Reply | None:
        """Lets the time of the fault pass; a time-out where the function has no more of it."""
        injection.fired(invocation.request_id, invocation.payload)
        seconds, left_s = injection.fault.seconds or 0, max(deadline - time.monotonic(), 0)
        injection.event.ended.wait(min(seconds, left_s))
        if seconds < left_s:
            return None
        self._kill()
        return Reply(errors.timed_out(invocation.request_id, self._limits.timeout_s), is_error=True)

    def _spoil(self, injection: Injection, invocation: Invocation) -> Reply:
        """Returns what the invocation ends with in the place of the handler's answer."""
        request_id = invocation.request_id
        injection.fired(request_id, invocation.payload)
        match injection.fault.kind:
            case "lambda_error_before" | "lambda_error_after":
                return Reply(errors.injected(request_id, injection.fault.id), is_error=True)
            case "lambda_timeout":
                self._kill()
                return Reply(errors.timed_out(request_id, self._limits.timeout_s), is_error=True)
            case _:
                self._kill()
                return Reply(errors.exited(request_id, -signal.SIGKILL), is_error=True)

    def _kill_during(self, injection: Injection, invocation: Invocation) -> None:
        """Kills the process while the handler waits for the answer of its call. The gateway's thread calls this."""
        if injection.event.ended.is_set():
            return
        injection.fired(invocation.request_id, invocation.payload)
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the process and removes the environment's files."""
        self._kill()
        self._api.close()
        shutil.rmtree(self._root, ignore_errors=True)

    @property
    def _warm(self) -> bool:
        return (
            self._initialised and self._process is not None and self._process.poll() is None and self._began_with == self._edition()
        )

    def _init(self, deadline: float, request_id: str) -> Reply | None:
        """Starts the runtime and waits until it asks for work. None where it does, else the reply of the failure."""
        self._kill()
        self._began_with = self._edition()
        self._api.reset()
        started = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._cwd, env=self._variables,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
            )  # fmt: skip
        # Not on a system that is no Linux.
        with contextlib.suppress(FileNotFoundError):
            self._status = os.open(f"/proc/{self._process.pid}/status", os.O_RDONLY)
        if self._doomed():
            self._signal(signal.SIGKILL)
        failure = self._until(self._api.ready, deadline, request_id)
        self._init_ms = (time.monotonic() - started) * 1000
        self._initialised = failure is None
        return failure

    def _until(self, what: Callable[[], bool], deadline: float, request_id: str) -> Reply | None:
        """Waits for the runtime, watching time, memory and life. None where `what` came, else the reply of the failure.

        Time in which this process did not get to look is not the function's: the runtime may have answered meanwhile."""
        process = self._process
        assert process is not None
        stalled_s = 0.0
        while True:
            if self._api.taken_at is not None:
                # The handler's time begins when it has its event: a busy machine must not look like a slow handler.
                deadline = max(deadline, self._api.taken_at + self._limits.timeout_s)
            looked = time.monotonic()
            remaining_s = deadline + stalled_s - looked
            came = self._api.wait(what, min(max(remaining_s, 0), _WATCH_S))
            stalled_s += max(time.monotonic() - looked - _WATCH_S, 0)
            # Memory first: what was exceeded for a moment between two looks would have been the end on AWS.
            self._peak_mb = max(self._peak_mb, self._read_peak_mb())
            if self._peak_mb > self._limits.memory_mb:
                failure = errors.exited(request_id, -signal.SIGKILL)
            elif came:
                return None
            elif self._api.init_error is not None:
                self._kill()
                return self._api.init_error
            elif (status := process.poll()) is not None:
                failure = errors.exited(request_id, status)
            elif remaining_s <= 0:
                failure = errors.timed_out(request_id, self._limits.timeout_s)
            else:
                continue
            self._kill()
            return Reply(failure, is_error=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _kill(self) -> None:
        """Kills the process and what it started. Nothing of an environment outlives it."""
        with self._ending:
            # The thread of an invocation and that of a deletion may both come here.
            process, self._process = self._process, None
            status, self._status = self._status, None
            self._initialised = False
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if status is not None:
            os.close(status)

    def _read_peak_mb(self) -> float:
        """Returns the most memory that the process held at any time, in MB; 0 where it cannot be read."""
        process, status = self._process, self._status
        if process is None:
            return 0
        if status is None:
            # The memory at this moment is the best there is.
            with contextlib.suppress(psutil.Error):
                return float(psutil.Process(process.pid).memory_info().rss) / _MB
            return 0
        # It has ended, or is about to.
        with contextlib.suppress(IndexError, OSError):
            return int(os.pread(status, _STATUS_BYTES, 0).partition(b"VmHWM:")[2].split(maxsplit=1)[0]) / 1024
        return 0

    def _report(self, request_id: str, version: str, failure: Reply | None, duration_ms: float) -> str:
        output = self._log.read_bytes()
        os.truncate(self._log, 0)
        figures = Figures(duration_ms, self._limits.memory_mb, self._peak_mb, self._init_ms)
        self._init_ms, self._peak_mb = None, 0.0
        written = [output.decode(errors="replace").rstrip("\n")] if output else []
        written += [failure.payload.decode(errors="replace")] if failure else []
        if self._variables.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
            lines = as_json(request_id, version, written, figures, failed=failure is not None)
        else:
            lines = as_text(request_id, version, written, figures)
        return "\n".join([*lines, ""])
