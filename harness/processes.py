"""Processes of an emulator: LocalStack and its execution environments share a session."""

from __future__ import annotations

import contextlib
import os
import time

import psutil

_GONE_WITHIN_S = 10


def kill_session(session: int, work_dir: str) -> None:
    """Kills every process of an emulator, and waits until they are gone: those of its session, and those that a handler has put into a
    session of their own, which the work directory in their environment betrays. It looks until it finds none: LocalStack may start one
    while it is looked for.

    A process group would not do: each execution environment has its own group, to be killed with what it started."""
    until = time.monotonic() + _GONE_WITHIN_S
    while (doomed := _processes(session, work_dir)) and time.monotonic() < until:
        for process in doomed:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(doomed, timeout=max(0, until - time.monotonic()))


def _processes(session: int, work_dir: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            # A zombie has been killed, and waits for its parent alone.
            if (os.getsid(process.pid) == session or _works_in(process, work_dir)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _works_in(process: psutil.Process, work_dir: str) -> bool:
    return bool(work_dir) and process.environ().get("LAMBDA_TASK_ROOT", "").startswith(f"{work_dir}/")
