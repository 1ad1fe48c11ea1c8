"""Patches of what all services use: sessions and threads."""

from __future__ import annotations

import functools
import sys
from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("botocore.loaders", {"JSONFileLoader.load_file": ("self", "file_path")})
def sessions(module: Any) -> None:
    """Every session reads the table of endpoints anew, a tenth of a second each time, and LocalStack makes one for each store of an account."""
    loader = module.JSONFileLoader
    load_file = loader.load_file
    # All clients of a session share these tables unchanged: what one client writes there is what any other would write.
    of_tables = functools.cache(lambda path: load_file(loader(), path))

    def once(self: Any, path: str) -> Any:
        return of_tables(path) if path.endswith(("/endpoints", "/partitions")) else load_file(self, path)

    loader.load_file = once


@patch("localstack.utils.threads", {"TMP_THREADS": NAME})
def threads(module: Any) -> None:
    """LocalStack keeps each thread of a state machine until it ends itself: see harness/inside/threads.py."""
    from harness.inside.threads import RunningThreads  # noqa: PLC0415

    all_of_them, running = module.TMP_THREADS, RunningThreads(module.TMP_THREADS)
    # Modules that were loaded before have taken the name from there.
    for loaded in list(sys.modules.values()):
        if getattr(loaded, "__dict__", {}).get("TMP_THREADS") is all_of_them:
            vars(loaded)["TMP_THREADS"] = running


PATCHES = (sessions, threads)
