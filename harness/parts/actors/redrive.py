"""Moves what a dead-letter queue holds back to where it came from, as an operator does once the fault is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import UnknownVerdictError
from harness.parts.ports import Actor, Context

if TYPE_CHECKING:
    from collections.abc import Iterator


class Redrive(Actor):
    """Sends the messages that `queue_url` holds now to `to_queue_url`, with their attributes, and deletes what is taken there."""

    queue_url: str
    to_queue_url: str

    def open(self, context: Context) -> Iterator[str | None]:
        """Yields once per batch. Raises UnknownVerdictError where the target refuses a message."""
        sqs = context.clients("sqs")
        # Poison comes back meanwhile: only what is there now is moved.
        name = "ApproximateNumberOfMessages"
        left = int(sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=[name])["Attributes"][name])
        while left > 0 and (messages := _received(sqs, self.queue_url, min(left, 10))):
            left -= len(messages)
            entries = [
                {"Id": str(place), "MessageBody": message["Body"], "MessageAttributes": message.get("MessageAttributes", {})}
                for place, message in enumerate(messages)
            ]
            answer = sqs.send_message_batch(QueueUrl=self.to_queue_url, Entries=entries)
            for done in answer.get("Successful", []):
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=messages[int(done["Id"])]["ReceiptHandle"])
            if answer.get("Failed"):
                raise UnknownVerdictError(f"redrive: {len(answer['Failed'])} messages were refused by {self.to_queue_url}")
            yield f"moved {len(messages)} messages back to {self.to_queue_url.rsplit('/', 1)[-1]}"


def _received(sqs: Any, queue_url: str, many: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=many, MessageAttributeNames=["All"]
    ).get("Messages", [])
    return messages
