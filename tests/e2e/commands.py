"""The command as a person runs it: a process of its own, in a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
REAL_LOG = ROOT.parent / "shared" / "data" / "apache_access_10k.log"


def environment(cwd):
    """The test's own environment, with work directories below `cwd`, so that leftovers show."""
    (cwd / "work").mkdir(exist_ok=True)
    plain = {name: value for name, value in os.environ.items() if name not in {"PIPEPROOF_EMULATOR", "FORCE_COLOR"}}
    return {**plain, "PIPEPROOF_TMPDIR": str(cwd / "work"), "COLUMNS": "200"}


def start(cwd, *args):
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *map(str, args)],
        cwd=cwd, env=environment(cwd), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def pipeproof(cwd, *args, timeout_s=240):
    """Exit code, output, and the result of the run if it left one."""
    process = start(cwd, *args)
    output, _ = process.communicate(timeout=timeout_s)
    return process.returncode, output, result(cwd)


def result(cwd):
    path = cwd / "runs" / "latest" / "result.json"
    return json.loads(path.read_text()) if path.is_file() else None


def emulators(cwd):
    """Processes that an emulator started below `cwd`: LocalStack itself, and its execution environments."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(cwd / "work") in process.environ().get("PIPEPROOF_WORK_DIR", "") or str(cwd / "work") in " ".join(
                [process.environ().get("LAMBDA_TASK_ROOT", ""), process.cwd()]
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def leftovers(cwd):
    """What is still there that should not be: processes and work directories."""
    return [*emulators(cwd), *(cwd / "work").iterdir()]
