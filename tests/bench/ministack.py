"""MiniStack, another emulator, to measure beside: from PyPI, in an environment of its own, on a loopback port of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import urllib3

from harness.emulator import work_dirs
from harness.emulator.cache import cache_dir
from harness.emulator.emulator import Description
from harness.emulator.health import START_TIMEOUT_S, last_lines
from harness.emulator.owner import Owner
from harness.emulator.ports import free_port
from harness.errors import EmulatorDiedError, UnknownVerdictError, UsageError
from harness.processes import kill_session
from harness.run.defects import Defect, load_edits, plant
from harness.shipped import data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION = "1.5.33"
_FIXTURES = data("fixtures") / "peers" / "ministack"
_POLL_S = 0.05


class MiniStack:
    """One MiniStack, logging to `log`. See Emulator."""

    stays = False

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._work_dir: Path | None = None

    def prepare(self, *, node: bool = False) -> Iterator[str]:
        """Installs it where it is not yet. Raises UsageError where that fails."""
        work_dirs.sweep()
        if not (_home() / "complete").exists():
            yield f"installing MiniStack {VERSION} into {_home()}"
            _install(_home())

    def start(self) -> Description:
        """See Emulator."""
        self._work_dir = work_dirs.create()
        (self._work_dir / "tmp").mkdir()
        port = free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [_python(_home()), "-m", "ministack"], env=_environment(port, self._work_dir), cwd=self._work_dir,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        work_dirs.label(self._work_dir, Owner.of(os.getpid(), self._process.pid))
        endpoint = f"http://127.0.0.1:{port}"
        try:
            self._wait(endpoint)
        except BaseException:
            self.stop()
            raise
        # Its functions run in the Python that it runs in.
        runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return Description("peer", "ministack", VERSION, endpoint, runtime)

    def _wait(self, endpoint: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                if urllib3.request("GET", f"{endpoint}/_ministack/health", retries=False, timeout=1).status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(_POLL_S)
        message = f"MiniStack did not answer at {endpoint} within {START_TIMEOUT_S} s{last_lines(self._log)}"
        raise UnknownVerdictError(message)

    def check(self) -> None:
        """See Emulator."""
        if self._process is not None and (status := self._process.poll()) is not None:
            message = f"MiniStack ended with status {status}{last_lines(self._log)}"
            raise EmulatorDiedError(message)

    def release(self) -> None:
        """Does what `stop` does."""
        self.stop()

    def stop(self) -> None:
        """See Emulator."""
        if self._process is not None:
            kill_session(self._process.pid, str(self._work_dir))
            self._process.wait()
            self._process = None
        if self._work_dir is not None:
            work_dirs.remove(self._work_dir)
            self._work_dir = None


def template_for_both(template: Path, into: Path) -> Path:
    """A copy of the orders' template that MiniStack can run, too; see fixtures/peers/ministack/edits.yaml."""
    return plant(Defect("ministack", "", "", "", load_edits(_FIXTURES / "edits.yaml")), template, into)


def _home() -> Path:
    locked = (_FIXTURES / "requirements.txt").read_bytes() + sys.version.encode()
    return cache_dir() / "peers" / f"ministack-{VERSION}-{hashlib.sha256(locked).hexdigest()[:12]}"


def _python(home: Path) -> str:
    return str(home / "bin" / "python")


def _install(home: Path) -> None:
    from uv import find_uv_bin

    uv = find_uv_bin()
    shutil.rmtree(home, ignore_errors=True)
    requirements = str(_FIXTURES / "requirements.txt")
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, str(home)],
        [uv, "pip", "install", "--quiet", "--python", _python(home), "--requirement", requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            message = f"MiniStack {VERSION} could not be installed:\n{done.stderr.strip()}"
            raise UsageError(message)
    (home / "complete").touch()


def _environment(port: int, work_dir: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAMBDA_", "PYTHON"))}
    return {
        **inherited,
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "TMPDIR": str(work_dir / "tmp"),
        "PIPEPROOF_WORK_DIR": str(work_dir),
        "LAMBDA_EXECUTOR": "local",
        # It looks for containers of its own otherwise.
        "DOCKER_HOST": f"unix://{work_dir}/no-docker.sock",
    }
