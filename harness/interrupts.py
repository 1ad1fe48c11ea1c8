"""Ctrl-C and SIGTERM: before anything has been started they end the command with one line; after that they are a KeyboardInterrupt, and
everything is cleaned up."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

EXIT_INTERRUPTED = 130
_came = False


def end_at_once() -> None:
    """Ends the process where a signal comes: an import that is interrupted would print a traceback."""

    def end(*_: object) -> None:
        # What is written is kept; nothing is raised in the middle of an import.
        os.write(sys.stderr.fileno(), b"pipeproof: interrupted; nothing had been started\n")
        os._exit(EXIT_INTERRUPTED)

    _on_signals(end)


def clean_up() -> None:
    """Raises KeyboardInterrupt where a signal comes. A run that is told to end cleans up as for Ctrl-C."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        global _came  # noqa: PLW0603 - a signal is the process's own
        _came = True
        signal.default_int_handler(number, frame)

    _on_signals(interrupt)


def came() -> bool:
    """Returns whether a signal has come. A library may turn the KeyboardInterrupt into an error of its own, as DuckDB does."""
    return _came


def _on_signals(handler: object) -> None:
    signal.signal(signal.SIGTERM, handler)  # type: ignore[arg-type]
    # A shell's background job ignores Ctrl-C, and goes on doing so.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)  # type: ignore[arg-type]
