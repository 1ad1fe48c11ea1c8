"""LocalStack from PyPI as a child process: with its own loopback port, temporary directory and session.

It ends with its parent, even where that is killed (see harness/inside/__main__.py), unless it is told to outlive it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import signal
import site
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil

from harness import interrupts
from harness.emulator import cache, tokens, work_dirs
from harness.emulator.cache import cache_dir
from harness.emulator.emulator import Description
from harness.emulator.health import last_lines, wait_until_healthy
from harness.emulator.owner import Owner
from harness.emulator.ports import free_port, wanted_port
from harness.errors import EmulatorDiedError, UsageError
from harness.processes import clean, kill_session
from harness.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


_ENDS_WITHIN_S = 20


class Embedded:
    """One embedded LocalStack, logging to `log`. With `stays` it outlives the process that starts it. Web pages of the `origins` may ask it."""

    def __init__(self, log: Path, port: int | None = None, *, stays: bool = False, origins: Sequence[str] = ()) -> None:
        self._log = log
        self._port = port
        self.stays = stays
        self._origins = tuple(origins)
        self._listens_on: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: int | None = None
        self._work_dir: Path | None = None
        self._cleaner: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Returns the process id, which is also that of its session."""
        assert self._process is not None
        return self._process.pid

    def prepare(self, *, node: bool = False) -> Iterator[str]:  # noqa: ARG002 - this machine has Node.js, or not
        """Removes what killed runs left."""
        work_dirs.sweep()
        tokens.sweep()
        cache.sweep()
        yield from ()

    def launch(self) -> None:
        """Starts LocalStack, and does not wait until it answers; nothing where it has been launched. Raises what `start` does."""
        if self._process is not None:
            return
        _require_localstack()
        # Checked here: inside LocalStack a value that means nothing would only be an entry in a log.
        settings()
        port = free_port() if self._port is None else wanted_port(self._port)
        try:
            with interrupts.held():
                self._launch(port)
        except BaseException:
            self.stop()
            raise

    def start(self) -> Description:
        """Starts LocalStack where it has not been launched, and waits until it answers.

        Raises UsageError where LocalStack is not installed or the port is taken, UnknownVerdictError with LocalStack's last lines
        where it does not come up."""
        self.launch()
        endpoint = f"http://127.0.0.1:{self._listens_on}"
        try:
            health = wait_until_healthy(endpoint, self.check, self._log)
        except BaseException:
            self.stop()
            raise
        return Description("embedded", "localstack", health.version, endpoint, health.python_runtime, health.abilities)

    def _launch(self, port: int) -> None:
        """Creates a work directory and starts LocalStack in it."""
        self._work_dir = work_dirs.create()
        (self._work_dir / "tmp").mkdir()
        env = _environment(port, self._work_dir) | tokens.settings_inside(port, self._origins)
        self._listens_on = port
        read_end, self._lifeline = os.pipe()
        pass_fds: tuple[int, ...] = ()
        if not self.stays:
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
        work_dirs.label(self._work_dir, Owner.of(os.getpid(), self.pid))

    def let_go(self) -> dict[str, Any]:
        """See Detachable."""
        assert self._work_dir is not None
        work_dirs.label(self._work_dir, Owner.of(self.pid, self.pid))
        return {"kind": "embedded", "pid": self.pid, "work_dir": str(self._work_dir)}

    def check(self) -> None:
        """Raises EmulatorDiedError, with the signal or exit status and the last lines of the log, where LocalStack has ended."""
        if self._process is None or (status := self._process.poll()) is None:
            return
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"exited with status {status}"
        message = f"the embedded emulator (LocalStack, process {self.pid}) {how}{last_lines(self._log)}"
        raise EmulatorDiedError(message)

    def release(self) -> None:
        """Begins to end LocalStack, beside what is still to do here."""
        with interrupts.held():
            if self._process is not None and self._cleaner is None:
                # Killed, not asked: its state is thrown away, and its own shutdown takes seconds.
                self._cleaner = clean(self.pid, str(self._work_dir))

    def stop(self) -> None:
        """Ends LocalStack and all it started, and removes its directory. Does nothing the second time."""
        with interrupts.held():
            self.release()
            if self._process is not None and self._cleaner is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    # First: the cleaner waits until nothing is left, and this child stays until it is waited for.
                    self._process.wait(_ENDS_WITHIN_S)
                self._cleaner.wait()
                self._process = self._cleaner = None
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None
            if self._work_dir is not None:
                work_dirs.remove(self._work_dir)
                self._work_dir = None
            if self._listens_on is not None:
                tokens.remove(self._listens_on)
                self._listens_on = None


def stop_detached(pid: int, work_dir: Path) -> None:
    """Ends an emulator that stayed, if it is still there. Its directory is removed either way, where it is one that an emulator of this id works in."""
    if runs(pid, work_dir):
        kill_session(pid, str(work_dir))
    if work_dirs.is_of(work_dir, pid):
        work_dirs.remove(work_dir)


def runs(pid: int, work_dir: Path) -> bool:
    """Returns whether an emulator that stayed is still there: another process may have its id by now."""
    try:
        return psutil.Process(pid).environ().get("PIPEPROOF_WORK_DIR") == str(work_dir)
    except psutil.Error:
        return False


def _require_localstack() -> None:
    # Without its package, to look for a module of it raises.
    if importlib.util.find_spec("localstack") is None or importlib.util.find_spec("localstack.runtime") is None:
        message = (
            "the embedded emulator needs LocalStack, which is not installed here: pip install 'pipeproof[embedded]' "
            "(or name a running endpoint with --emulator http://127.0.0.1:4566)"
        )
        raise UsageError(message)


def localstack_version() -> str | None:
    """Returns the version of the installed LocalStack, None where there is none."""
    try:
        return importlib.metadata.version("localstack-core")
    except importlib.metadata.PackageNotFoundError:
        return None


_INHERITED = frozenset({
    "CURL_CA_BUNDLE", "DEBUG", "LANG", "LD_LIBRARY_PATH", "LS_LOG", "PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "TZ", "USER",
})  # fmt: skip
_NOT_INHERITED = frozenset({"PIPEPROOF_TOKEN"})


def _environment(port: int, work_dir: Path) -> dict[str, str]:
    """Returns LocalStack's environment. Functions can read it, as they run as this user: it has what a program needs to run, the settings of pipeproof,
    and nothing else of the user's."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or (name.startswith(("LC_", "PIPEPROOF_")) and name not in _NOT_INHERITED)
    }
    home = work_dir / "home"
    home.mkdir()
    return {
        **inherited,
        # The user's own has configuration and credentials. What is installed there for Python is still found.
        "HOME": str(home),
        "PYTHONUSERBASE": site.getuserbase(),
        "XDG_CACHE_HOME": str(cache_dir() / "xdg"),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "FILESYSTEM_ROOT": str(work_dir / "filesystem"),
        "TMPDIR": str(work_dir / "tmp"),
        "PIPEPROOF_WORK_DIR": str(work_dir),
        "PIPEPROOF_CACHE": str(cache_dir()),
        # LocalStack is half a second of compiling where its byte code cannot be kept beside it.
        "PYTHONPYCACHEPREFIX": str(cache_dir() / "pycache"),
        # Each of many threads would have memory for itself, which is not given back.
        "MALLOC_ARENA_MAX": "2",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
    }
