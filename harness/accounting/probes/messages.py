"""Reads a queue to its end, without deleting: what is there stays there for the person to look at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients

# Long enough that no message is seen twice in one reading; a queue may delay as long.
_HIDDEN_S = 900
_DELAYED_S = 900
_POLL_S = 0.2


def read_messages(clients: Clients, queue_url: str) -> Iterator[tuple[str, str]]:
    """Message id and body of every message, delayed ones included: they are waited for.

    Raises UnknownVerdictError where messages stay that nobody may see: another reader has them."""
    sqs = clients("sqs")
    seen: set[str] = set()
    deadline = time.monotonic() + _DELAYED_S
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_S)
        messages = answer.get("Messages", [])
        for message in messages:
            if message["MessageId"] not in seen:
                seen.add(message["MessageId"])
                yield message["MessageId"], message["Body"]
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
