"""Waiting for a condition, with a bound."""

from __future__ import annotations

import time


def wait_until(look, what, timeout_s=60):
    """The first true thing that `look` returns; fails with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"waited {timeout_s} s for {what}")
