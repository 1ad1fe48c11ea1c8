"""Processes of an emulator: LocalStack and its execution environments share a session."""

from __future__ import annotations

import contextlib
import os

import psutil

_GONE_WITHIN_S = 10


def kill_session(session: int, work_dir: str, *, but: int = 0) -> None:
    """Kills every process of an emulator except `but`, and waits until they are gone: those of its session, and those that a
    handler has put into a session of their own, which the work directory in their environment betrays.

    A process group would not do: each execution environment has its own group, to be killed with what it started."""
    doomed = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.Error):
            if process.pid != but and (os.getsid(process.pid) == session or _works_in(process, work_dir)):
                process.kill()
                doomed.append(process)
    psutil.wait_procs(doomed, timeout=_GONE_WITHIN_S)


def _works_in(process: psutil.Process, work_dir: str) -> bool:
    return bool(work_dir) and process.environ().get("LAMBDA_TASK_ROOT", "").startswith(f"{work_dir}/")
