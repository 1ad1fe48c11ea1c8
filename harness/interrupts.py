"""Ctrl-C, SIGTERM, and a terminal that is closed: before anything has been started they end the command with one line; after that they are a KeyboardInterrupt, and
everything is cleaned up."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs
    from types import FrameType

EXIT_INTERRUPTED = 130
_came = False
_late = False
_holds = 0


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
        global _came, _late  # noqa: PLW0603 - a signal is the process's own
        _came = True
        if _holds:
            _late = True
        else:
            signal.default_int_handler(number, frame)

    sys.unraisablehook = _unraisable
    _on_signals(interrupt)


def _unraisable(lost: UnraisableHookArgs) -> None:
    """Tells of what was raised where nothing can be, but for an interrupt: it `came`, and whoever asks for that sees it."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Delays an interrupt until the block has ended. Code that starts a process or a container uses it, so that it can note what it has started
    before the interrupt comes, and can stop it then."""
    global _holds, _late  # noqa: PLW0603 - as above
    if threading.current_thread() is not threading.main_thread():
        # Signals interrupt the main thread alone.
        yield
        return
    _holds += 1
    try:
        yield
    finally:
        _holds -= 1
        if _late and not _holds:
            _late = False
            raise KeyboardInterrupt


def came() -> bool:
    """Returns whether a signal has come. Callers need it because a KeyboardInterrupt can disappear: DuckDB raises a RuntimeError instead, and Python
    ignores exceptions in callbacks of weak references."""
    return _came


def _on_signals(handler: object) -> None:
    signal.signal(signal.SIGTERM, handler)  # type: ignore[arg-type]
    # A shell's background job ignores Ctrl-C, one of nohup the end of its terminal, and each goes on doing so.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)  # type: ignore[arg-type]
