"""What may be kept from run to run: built packages, the Lambda runtime directory, byte code."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from harness.settings import settings

PACKAGES, DEPENDENCIES = "packages", "dependencies"
KEPT_S = 30 * 24 * 3600
"""The time after which what no run has used is removed."""


def cache_dir() -> Path:
    """Returns the directory: what is configured, else the user's cache directory."""
    return settings().cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pipeproof"


def has(file: Path) -> bool:
    """Returns whether the file is in the cache. What is asked for counts as used now."""
    with contextlib.suppress(OSError):
        os.utime(file)
    return file.is_file()


def sweep() -> None:
    """Removes packages that no run has used for a month, and what killed builds left."""
    for name in (PACKAGES, DEPENDENCIES):
        for path in (cache_dir() / name).glob("*"):
            # Another run may remove it at the same time.
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime <= KEPT_S:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
