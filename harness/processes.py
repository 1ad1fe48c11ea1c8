"""Processes of an emulator: LocalStack and its execution environments share a session."""

from __future__ import annotations

import contextlib
import os

import psutil

_GONE_WITHIN_S = 10


def kill_session(session: int, *, but: int = 0) -> None:
    """Kills every process of a session except `but`, and waits until they are gone.

    A process group would not do: each execution environment has one of its own, to be killed with what it started."""
    doomed = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if process.pid != but and os.getsid(process.pid) == session:
                process.kill()
                doomed.append(process)
    psutil.wait_procs(doomed, timeout=_GONE_WITHIN_S)
