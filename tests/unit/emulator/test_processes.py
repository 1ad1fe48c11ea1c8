"""The end of an emulator whose parent was killed: its session, and what it starts while it is looked for."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

from harness.processes import kill_session

# It starts a process of its session, in a directory below, for as long as it lives: as fast as it can.
BUSY = """
import subprocess, sys
while True:
    one = subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=subprocess.PIPE)
    one.stdout.readline()
    print(one.pid, flush=True)
"""


def _session(session: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def _busy(tmp_path) -> subprocess.Popen[str]:
    busy = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=tmp_path)
    assert busy.stdout is not None
    for _ in range(3):
        busy.stdout.readline()
    return busy


def test_a_process_that_is_started_while_its_session_is_looked_for_is_found_too(tmp_path, monkeypatch):
    busy = _busy(tmp_path)
    looked = psutil.process_iter

    def late(*args):
        """One more is there as soon as the processes have been listed."""
        yield from looked(*args)
        if busy.poll() is None:
            busy.stdout.readline()

    monkeypatch.setattr(psutil, "process_iter", late)
    kill_session(busy.pid, "")
    monkeypatch.undo()
    busy.wait()
    busy.stdout.close()
    assert _session(busy.pid) == []


def test_the_cleaner_leaves_neither_the_session_nor_the_directory(tmp_path):
    work_dir = tmp_path / "work"
    (work_dir / "tmp").mkdir(parents=True)
    busy = _busy(work_dir)
    subprocess.run([sys.executable, "-m", "harness.processes", str(busy.pid), str(work_dir)], check=True, timeout=60)
    busy.wait()
    busy.stdout.close()
    assert _session(busy.pid) == []
    assert not work_dir.exists()
