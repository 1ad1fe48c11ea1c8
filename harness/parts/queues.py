"""Reads a queue to its end without deleting: the messages stay there for the person to look at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.parts.ports import Context

# Long enough that no message is seen twice in one reading; a queue may delay a message as long.
_HIDDEN_S = 900
_DELAYED_S = 900
_POLL_S = 0.2


def read_messages(context: Context, queue_url: str) -> Iterator[dict[str, Any]]:
    """Yields every message, as ReceiveMessage returns it. Waits for delayed messages.

    Raises UnknownVerdictError where messages stay hidden: another reader has them."""
    sqs = context.clients("sqs")
    seen: set[str] = set()
    deadline = time.monotonic() + _DELAYED_S
    while True:
        context.check()
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_S, MessageAttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        for message in messages:
            if message["MessageId"] not in seen:
                seen.add(message["MessageId"])
                yield message
        if messages:
            continue
        counts = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
        hidden = int(counts["ApproximateNumberOfMessagesNotVisible"]) - len(seen)
        left = int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesDelayed"]) + max(hidden, 0)
        if left == 0:
            return
        if time.monotonic() > deadline:
            raise UnknownVerdictError(f"{left} messages of {queue_url} could not be read within {_DELAYED_S} s (delayed or hidden)")
        time.sleep(_POLL_S)
