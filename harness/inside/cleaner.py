"""`python -m harness.inside.cleaner SESSION WORK_DIR`: ends what an emulator leaves whose parent was killed, itself among it, and removes its work directory.

It is a process of its own, in a session of its own: LocalStack starts processes and writes files as long as it lives."""

from __future__ import annotations

import shutil
import sys

from harness.processes import kill_session


def main() -> None:
    session, work_dir = int(sys.argv[1]), sys.argv[2]
    kill_session(session, work_dir)
    shutil.rmtree(work_dir, ignore_errors=True)


if __name__ == "__main__":
    main()
