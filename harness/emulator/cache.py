"""What may be kept from run to run: built packages, the Lambda runtime directory, byte code."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """The directory: PIPEPROOF_CACHE, else the person's cache directory."""
    configured = os.environ.get("PIPEPROOF_CACHE")
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pipeproof"
