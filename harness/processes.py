"""Processes of an emulator: LocalStack and its execution environments share a session.

`python -m harness.processes SESSION WORK_DIR` is the cleaner: it kills an embedded emulator with all it started, and removes its work directory. It is another
process, in another session: whoever asks for it may be killed meanwhile, and nothing is to be left."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time

import psutil

_GONE_WITHIN_S = 10
_LOOKS_AGAIN_AFTER_S = 0.1


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
        # A zombie stays until its parent looks: what was started meanwhile must not wait for that.
        psutil.wait_procs(doomed, timeout=_LOOKS_AGAIN_AFTER_S)


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


def clean(session: int, work_dir: str) -> subprocess.Popen[bytes]:
    """Starts the cleaner."""
    command = [sys.executable, "-m", "harness.processes", str(session), work_dir]
    return subprocess.Popen(command, cwd="/", stdin=subprocess.DEVNULL, start_new_session=True)


def main() -> None:
    """Is the cleaner."""
    session, work_dir = int(sys.argv[1]), sys.argv[2]
    kill_session(session, work_dir)
    shutil.rmtree(work_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
