"""The Node.js of this machine, which functions in any `nodejs*.x` run on, and the bootstrap that runs their handlers."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

BOOTSTRAP = Path(__file__).with_name("node") / "bootstrap.mjs"
OLDEST = 18
"""The oldest Node.js that the bootstrap runs on."""


@functools.cache
def node() -> Path | None:
    """Returns the program; None where there is none, or one that is too old."""
    found = shutil.which("node")
    return Path(found).resolve() if found is not None and _major(found) >= OLDEST else None


def node_runtime() -> str | None:
    """Returns the runtime identifier of the Node.js that there is, such as nodejs20.x."""
    found = node()
    return f"nodejs{_major(str(found))}.x" if found is not None else None


@functools.cache
def _major(program: str) -> int:
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    version = re.match(r"v(\d+)\.", told)
    return int(version[1]) if version else 0
