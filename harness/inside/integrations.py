"""The time that API Gateway gives an integration, of REST and HTTP APIs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTimeError
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_pool = ThreadPoolExecutor(128, thread_name_prefix="integration")


def within(timeout_s: float, work: Callable[[], _T]) -> _T:
    """Returns what an integration answers. Raises OutOfTimeError where it takes too long; its work then goes on."""
    return _pool.submit(work).result(timeout_s)


__all__ = ["OutOfTimeError", "within"]
