"""The command as a person runs it: a process of its own, in a directory of its own, with either emulator.

PIPEPROOF_EMULATOR (auto, embedded, container) chooses the emulator of the whole suite.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import psutil
import pytest
import yaml

from harness.emulator import container
from harness.emulator.docker_engine import connect
from harness.errors import UsageError

ROOT = Path(__file__).parents[2]
REAL_LOG = ROOT.parent / "shared" / "data" / "apache_access_10k.log"


def _kind():
    wanted = os.environ.get("PIPEPROOF_EMULATOR") or "auto"
    if wanted != "auto":
        return wanted
    try:
        connect().close()
    except UsageError:
        return "embedded"
    return "container"


def shipped(scenario):
    """A scenario of the project, as a document that can be written anywhere."""
    text = (ROOT / "scenarios" / f"{scenario}.yaml").read_text()
    return yaml.safe_load(text.replace("../pipeline/", f"{ROOT}/pipeline/"))


KIND = _kind()
in_container = pytest.mark.skipif(KIND != "container", reason="this is about containers: PIPEPROOF_EMULATOR=container")
_started = defaultdict(list)


def environment(cwd, **more):
    """The test's own environment, with work directories below `cwd`, so that leftovers show."""
    (cwd / "work").mkdir(exist_ok=True)
    plain = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    return {**plain, "PIPEPROOF_EMULATOR": KIND, "PIPEPROOF_TMPDIR": str(cwd / "work"), "COLUMNS": "200", **more}


def start(cwd, *args, **more):
    """With Ctrl-C as in a terminal: a shell's background job, as the suite may be, has it ignored."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, args)],
        cwd=cwd, env=environment(cwd, **more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
    )  # fmt: skip
    _started[cwd].append(process.pid)
    return process


def pipeproof(cwd, *args, timeout_s=240, **more):
    """Exit code, output, and the result of the run if it left one. `more` is added to its environment."""
    process = start(cwd, *args, **more)
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        pytest.fail(f"not done after {timeout_s} s: {args}\n{output}")
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


def containers(cwd):
    """Containers and networks, running or not, that commands started in `cwd` own."""
    if KIND != "container":
        return []
    client = connect()
    labels = {"filters": {"label": container.LABEL}}
    found = [*client.containers.list(all=True, ignore_removed=True, **labels), *client.networks.list(**labels)]
    return [thing for thing in found if json.loads(container.labels_of(thing)[container.LABEL])["pid"] in _started[cwd]]


def inside(cwd):
    """The processes of the emulator that a command in `cwd` has started, as this machine sees them."""
    if KIND != "container":
        return emulators(cwd)
    listed = _container(cwd).top()
    return [psutil.Process(int(row[listed["Titles"].index("PID")])) for row in listed["Processes"]]


def _container(cwd):
    return next(thing for thing in containers(cwd) if hasattr(thing, "kill") and not thing.name.endswith("-door"))


def kill_emulator(cwd):
    """SIGKILL, as `docker kill` and the kernel send it."""
    if KIND == "container":
        _container(cwd).kill()
    else:
        localstack = next(p for p in emulators(cwd) if "harness.inside" in " ".join(p.cmdline()))
        localstack.send_signal(signal.SIGKILL)


def leftovers(cwd):
    """What is still there that should not be: processes, work directories, containers, networks."""
    return [*emulators(cwd), *(cwd / "work").iterdir(), *containers(cwd)]
