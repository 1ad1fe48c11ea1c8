"""SendMessageBatch to a standard or FIFO queue.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.accounting.record import message_put
from harness.parts.batching import BatchSender, Limits, Result
from harness.parts.messages import entry, results, sent, text_of
from harness.parts.ports import Context, Ingress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.accounting.record import Record

LIMITS = Limits(records=10, batch_bytes=1024 * 1024, record_bytes=1024 * 1024)


class Sqs(Ingress):
    """Sends each record as a message to `queue_url`; the payload must be text."""

    shareable: ClassVar[bool] = True

    queue_url: str

    def open(self, context: Context) -> BatchSender:
        """Returns the sender."""
        client = context.clients("sqs", retries=False)
        fifo = self.queue_url.endswith(".fifo")

        def put(records: Sequence[Record], offered_at_ms: int) -> list[Result]:
            def send(texts: Sequence[Record]) -> list[Result]:
                entries = [entry(record, str(place), "MessageBody", fifo=fifo) for place, record in enumerate(texts)]
                return results(client.send_message_batch(QueueUrl=self.queue_url, Entries=entries), len(texts), offered_at_ms)

            return sent(records, offered_at_ms, send)

        def put_at(record: Record) -> str:
            return message_put(self.queue_url, text_of(record))

        return BatchSender(put, LIMITS, lambda record: len(record.payload), put_at)
