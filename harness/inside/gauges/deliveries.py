"""Deliveries on background threads: SNS messages, and S3 notifications."""

from __future__ import annotations

import functools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from harness.inside.gauges.gauge import Counted, Level

if TYPE_CHECKING:
    from collections.abc import Callable

DELIVERIES = Counted()


def in_background(account: str, function: Callable[..., None], *args: Any) -> None:
    """Runs a function on a thread, which counts as a delivery until it ends."""

    def counted() -> None:
        try:
            function(*args)
        finally:
            DELIVERIES.leave(account)

    DELIVERIES.enter(account)
    threading.Thread(target=counted, name="delivery", daemon=True).start()


class CountedExecutor(ThreadPoolExecutor):
    """A thread pool whose unfinished tasks count as deliveries."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Counts the task until it is done."""
        DELIVERIES.enter()
        try:
            future = super().submit(fn, *args, **kwargs)
        except RuntimeError:
            DELIVERIES.leave()
            raise
        future.add_done_callback(lambda _: DELIVERIES.leave())
        return future


def counted_by_topic(executor: type[Any]) -> type[Any]:
    """Returns SNS's executor of FIFO topics, whose unfinished tasks count as deliveries."""

    class CountedByTopic(executor):  # type: ignore[misc]
        def submit(self, fn: Callable[..., Any], topic: str, /, *args: Any, **kwargs: Any) -> None:
            DELIVERIES.enter()

            @functools.wraps(fn)
            def counted(*args: Any, **kwargs: Any) -> None:
                try:
                    fn(*args, **kwargs)
                finally:
                    DELIVERIES.leave()

            try:
                super().submit(counted, topic, *args, **kwargs)
            except RuntimeError:
                DELIVERIES.leave()
                raise

    return CountedByTopic


def gauge(account: str | None) -> Level:
    """Returns {in_flight: {deliveries}}."""
    count = DELIVERIES.count(account)
    return Level(count > 0, {"deliveries": count})
