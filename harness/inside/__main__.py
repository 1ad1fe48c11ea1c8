"""`python -m harness.inside`: LocalStack's own start, tied to the life of whoever started it.

PIPEPROOF_LIFELINE_FD names the read end of a pipe whose write end the parent holds. When the parent ends, however it ends, the
pipe closes, and this process with its session (LocalStack and all execution environments) is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading

from harness.processes import kill_session


def _hold_lifeline(fd: int) -> None:
    os.set_inheritable(fd, False)  # noqa: FBT003
    while os.read(fd, 1):
        pass
    work_dir = os.environ.get("PIPEPROOF_WORK_DIR", "")
    kill_session(os.getsid(0), work_dir, but=os.getpid())
    if work_dir:
        # Removed by somebody who survives us: as long as we live, LocalStack writes there.
        cleaner = 'n=0; while kill -0 "$1" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done; rm -rf "$2"'
        subprocess.Popen(["/bin/sh", "-c", cleaner, "sh", str(os.getpid()), work_dir], start_new_session=True)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    lifeline = os.environ.pop("PIPEPROOF_LIFELINE_FD", "")
    if lifeline:
        threading.Thread(target=_hold_lifeline, args=(int(lifeline),), name="lifeline", daemon=True).start()
    from localstack.runtime.main import main as run_localstack  # noqa: PLC0415 - a second of imports, after the lifeline

    run_localstack()


if __name__ == "__main__":
    main()
