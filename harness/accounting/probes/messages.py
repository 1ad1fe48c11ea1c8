"""Reads a queue to its end, without deleting: what is there stays there for the person to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients

# Long enough that no message is seen twice in one reading.
_HIDDEN_S = 900


def read_messages(clients: Clients, queue_url: str) -> Iterator[tuple[str, str]]:
    """Message id and body of every message."""
    sqs = clients("sqs")
    seen: set[str] = set()
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, VisibilityTimeout=_HIDDEN_S)
        messages = answer.get("Messages", [])
        for message in messages:
            if message["MessageId"] not in seen:
                seen.add(message["MessageId"])
                yield message["MessageId"], message["Body"]
        if not messages:
            left = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"])
            if int(left["Attributes"]["ApproximateNumberOfMessages"]) == 0:
                return
