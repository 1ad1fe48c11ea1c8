"""LocalStack from PyPI as a child process: a loopback port, a temporary directory and a session of its own.

It ends with its parent, even where that is killed (see harness/inside/__main__.py), unless it is told to outlive it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import urllib3

from harness.emulator import work_dirs
from harness.emulator.cache import cache_dir
from harness.emulator.emulator import Description
from harness.errors import EmulatorDiedError, UnknownVerdictError, UsageError
from harness.processes import kill_session

if TYPE_CHECKING:
    from pathlib import Path

START_TIMEOUT_S = 60
_POLL_S = 0.05
_LAST_LINES = 15


class Embedded:
    """One embedded LocalStack, logging to `log`. With `outlives_parent` it stays until it is stopped by its process id."""

    def __init__(self, log: Path, port: int | None = None, *, outlives_parent: bool = False) -> None:
        self._log = log
        self._port = port
        self._outlives_parent = outlives_parent
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None
        self._work_dir: Path | None = None

    @property
    def pid(self) -> int:
        """The process id, which is also that of its session."""
        assert self._process is not None
        return self._process.pid

    @property
    def work_dir(self) -> Path:
        assert self._work_dir is not None
        return self._work_dir

    def start(self) -> Description:
        """Starts LocalStack and waits until it answers.

        Raises UsageError where LocalStack is not installed or the port is taken, UnknownVerdictError with LocalStack's last lines
        where it does not come up."""
        _require_localstack()
        work_dirs.sweep()
        port = _free_port() if self._port is None else _wanted_port(self._port)
        self._work_dir = work_dirs.create()
        (self._work_dir / "tmp").mkdir()
        env = _environment(port, self._work_dir)
        read_end, write_end = os.pipe()
        pass_fds: tuple[int, ...] = ()
        if not self._outlives_parent:
            env["PIPEPROOF_LIFELINE_FD"] = str(read_end)
            pass_fds = (read_end,)
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "harness.inside"], env=env, cwd=self._work_dir, pass_fds=pass_fds,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(read_end)
        self._lifeline = write_end
        work_dirs.label(self._work_dir, work_dirs.Owner.of(os.getpid(), self.pid))
        endpoint = f"http://127.0.0.1:{port}"
        try:
            version = self._wait_until_healthy(endpoint)
        except BaseException:
            self.stop()
            raise
        runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return Description("embedded", "localstack", version, endpoint, runtime)

    def let_go(self) -> None:
        """From now on the emulator belongs to itself: what its starter leaves unfinished until then is swept like any leftover."""
        work_dirs.label(self.work_dir, work_dirs.Owner.of(self.pid, self.pid))

    def check(self) -> None:
        """Raises EmulatorDiedError, with the signal or exit status and the last lines of the log, where LocalStack has ended."""
        if self._process is None or (status := self._process.poll()) is None:
            return
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
        message = f"the embedded emulator (LocalStack, process {self.pid}) {how}{self._last_lines()}"
        raise EmulatorDiedError(message)

    def stop(self) -> None:
        """Ends LocalStack and all it started, and removes its directory. Does nothing the second time."""
        if self._process is not None:
            # Killed, not asked: its state is thrown away, and its own shutdown takes seconds.
            kill_session(self.pid, str(self._work_dir))
            self._process.wait()
            self._process = None
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        if self._work_dir is not None:
            work_dirs.remove(self._work_dir)
            self._work_dir = None

    def _wait_until_healthy(self, endpoint: str) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        with urllib3.PoolManager(retries=False, timeout=2) as pool:
            while time.monotonic() < deadline:
                self.check()
                try:
                    answer = pool.request("GET", f"{endpoint}/_localstack/health")
                    if answer.status == 200:
                        return str(answer.json()["version"])
                except urllib3.exceptions.HTTPError:
                    pass
                time.sleep(_POLL_S)
        message = f"LocalStack did not answer at {endpoint}/_localstack/health within {START_TIMEOUT_S} s{self._last_lines()}"
        raise UnknownVerdictError(message)

    def _last_lines(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        except OSError:
            return ""
        return f"; the last lines of {self._log}:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""


def stop_detached(pid: int, work_dir: Path) -> bool:
    """Ends an emulator that outlived its parent; False where it is gone already. Its directory is removed either way."""
    try:
        ours = psutil.Process(pid).environ().get("PIPEPROOF_WORK_DIR") == str(work_dir)
    except psutil.Error:
        ours = False
    if ours:
        kill_session(pid, str(work_dir))
    work_dirs.remove(work_dir)
    return ours


def _require_localstack() -> None:
    if importlib.util.find_spec("localstack.runtime") is None:
        message = (
            "the embedded emulator needs LocalStack, which is not installed here: pip install 'pipeproof[embedded]' "
            "(or name a running endpoint with --emulator http://127.0.0.1:4566)"
        )
        raise UsageError(message)


def localstack_version() -> str | None:
    """The version of the installed LocalStack, None where there is none."""
    try:
        return importlib.metadata.version("localstack-core")
    except importlib.metadata.PackageNotFoundError:
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wanted_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            message = f"port {port} of 127.0.0.1 is taken or not allowed ({error.strerror}): choose another with --port"
            raise UsageError(message) from error
    return port


def _environment(port: int, work_dir: Path) -> dict[str, str]:
    """LocalStack's environment: the person's own, without their AWS settings, and what makes it ours."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCALSTACK_", "PYTHON"))}
    return {
        **inherited,
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "FILESYSTEM_ROOT": str(work_dir / "filesystem"),
        "TMPDIR": str(work_dir / "tmp"),
        "PIPEPROOF_WORK_DIR": str(work_dir),
        "PIPEPROOF_CACHE": str(cache_dir()),
        # LocalStack is half a second of compiling where its byte code cannot be kept beside it.
        "PYTHONPYCACHEPREFIX": str(cache_dir() / "pycache"),
        "LAMBDA_RUNTIME_EXECUTOR": "pipeproof",
        "PROVIDER_OVERRIDE_KINESIS": "pipeproof",
        "PROVIDER_OVERRIDE_DYNAMODB": "pipeproof",
        "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.1",
        "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.5",
        "LAMBDA_LIMITS_CREATE_FUNCTION_REQUEST_SIZE": str(500 * 1024 * 1024),
        # LocalStack's calls to itself need no HTTP.
        "IN_MEMORY_CLIENT": "1",
        "SQS_ENDPOINT_STRATEGY": "path",
        # No telemetry, no downloads, no DNS server.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
    }
