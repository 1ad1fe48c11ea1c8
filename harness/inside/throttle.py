"""How many requests API Gateway lets through: a bucket of `burst` tokens that fills by `rate` a second.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

_lock = threading.Lock()
_buckets: dict[Hashable, tuple[float, float]] = {}


def takes(name: Hashable, rate: float | None, burst: float | None, now: float | None = None) -> bool:
    """Returns whether a request of this bucket goes through; it takes a token then. None is no limit."""
    if rate is None and burst is None:
        return True
    at = time.monotonic() if now is None else now
    size = float(burst) if burst is not None else float(rate or 0)
    with _lock:
        tokens, since = _buckets.get(name, (size, at))
        tokens = min(size, tokens + (at - since) * (size if rate is None else rate))
        goes = tokens >= 1
        _buckets[name] = (tokens - 1 if goes else tokens, at)
    return goes
