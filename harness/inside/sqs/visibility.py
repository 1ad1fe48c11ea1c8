"""The visibility of messages whose batch waits for an environment.

On AWS an environment starts as soon as a batch needs one. Here environments are few and start one after the other, which can take longer than a
short visibility timeout: the messages would come back, and be counted as received again, before the function has seen them. So messages stay
invisible while their batch waits, and their time goes on when the function gets them.
"""

from __future__ import annotations

import math
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HANDLE = re.compile(rb'"receiptHandle": ?"([^"]+)"')
_held: dict[str, Held] = {}


class Held:
    """The messages of one batch. Their visibility timeout stands still while the batch waits for an environment."""

    def __init__(self, queue: Any, handles: Sequence[str]) -> None:
        """`queue` is LocalStack's, and has the messages by their receipt handles."""
        messages = [message for handle in handles if (message := queue.receipts.get(handle)) is not None]
        self._until = [(message, message.visibility_deadline) for message in messages if message.visibility_deadline is not None]
        self._waits_since = time.time()
        self._has_begun = False
        for message, _ in self._until:
            message.visibility_deadline = math.inf

    def wait(self) -> None:
        """Says that the batch is handed over, and waits for an environment from now on."""
        self._waits_since = time.time()

    def begin(self) -> None:
        """Says that the function has got the messages."""
        if not self._has_begun:
            self._go_on(time.time() - self._waits_since)

    def end(self) -> None:
        """Lets the time of messages run that no function has got, as if they had never waited."""
        if not self._has_begun:
            self._go_on(0.0)

    def _go_on(self, waited_s: float) -> None:
        self._has_begun = True
        for message, until in self._until:
            # A FIFO queue asks how long ago the message was received before it deletes one.
            message.visibility_timeout += waited_s
            message.visibility_deadline = until + waited_s


@contextmanager
def held(queue: Any, messages: Sequence[dict[str, Any]]) -> Iterator[Held]:
    """Holds the messages of a batch back until a function gets them, or the block ends."""
    handles = [message["ReceiptHandle"] for message in messages]
    batch = Held(queue, handles)
    _held.update(dict.fromkeys(handles, batch))
    try:
        yield batch
    finally:
        batch.end()
        for handle in handles:
            _held.pop(handle, None)


def begin(event: bytes) -> None:
    """Says that a function has got this event, of whatever service."""
    if _held and (found := _HANDLE.search(event)) and (batch := _held.get(found[1].decode())):
        batch.begin()
