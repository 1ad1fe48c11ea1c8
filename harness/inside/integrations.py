"""The time that API Gateway gives an integration, of REST and HTTP APIs."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


class OutOfTimeError(Exception):
    """The integration has not answered in its time."""


def within(timeout_s: float, work: Callable[[], _T]) -> _T:
    """Returns what an integration answers. Raises OutOfTimeError where it takes too long; its work then goes on, in its own thread."""
    answer: Future[_T] = Future()

    def integrate() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=integrate, name="integration", daemon=True).start()
    if not wait([answer], timeout_s).done:
        raise OutOfTimeError
    return answer.result()
