"""What may be kept from run to run: built packages, the Lambda runtime directory, byte code."""

from __future__ import annotations

import os
from pathlib import Path

from harness.settings import settings


def cache_dir() -> Path:
    """Returns the directory: what is configured, else the user's cache directory."""
    return settings().cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pipeproof"
