"""What a message is in its dead-letter queue, and when it is redriven from there.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html
"""

from __future__ import annotations

import functools
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_BEFORE = {"ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "DeadLetterQueueSourceArn", "SequenceNumber"}
_thread = threading.local()


@contextmanager
def moving() -> Iterator[None]:
    """What this thread puts into a queue meanwhile comes from a move task."""
    _thread.moves = True
    try:
        yield
    finally:
        _thread.moves = False


def moved(put: Any, *, is_fifo: bool) -> Any:
    """Returns a queue's `put` that makes a redriven message a new one, and a dead letter one with its id for deduplication."""

    @functools.wraps(put)
    def once(self: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        attributes = message.get("Attributes") or {}
        if getattr(_thread, "moves", False):
            kept = {name: value for name, value in attributes.items() if name not in _OF_BEFORE}
            now_ms = str(int(time.time() * 1000))
            message = {**message, "MessageId": str(uuid4()), "Attributes": {**kept, "SentTimestamp": now_ms}}
        elif "DeadLetterQueueSourceArn" not in attributes:
            return put(self, message, *args, **kwargs)
        if is_fifo:
            kwargs["message_deduplication_id"] = message["MessageId"]
        return put(self, message, *args, **kwargs)

    return once
