"""One call at a time."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function with a lock around it."""
    lock = threading.RLock()

    @functools.wraps(function)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return function(*args, **kwargs)

    return alone
