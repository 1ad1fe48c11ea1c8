"""PublishBatch to a standard or FIFO topic.

Source: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.parts.batching import BatchSender, Limits, Result
from harness.parts.messages import entry, results, sent
from harness.parts.ports import Context, Ingress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.accounting.record import Record

LIMITS = Limits(records=10, batch_bytes=256 * 1024, record_bytes=256 * 1024)


class Sns(Ingress):
    """Publishes each record to `topic_arn`; the payload must be text."""

    shareable: ClassVar[bool] = True

    topic_arn: str

    def open(self, context: Context) -> BatchSender:
        """Returns the sender."""
        client = context.clients("sns", retries=False)
        fifo = self.topic_arn.endswith(".fifo")

        def put(records: Sequence[Record], offered_at_ms: int) -> list[Result]:
            def send(texts: Sequence[Record]) -> list[Result]:
                entries = [entry(record, str(place), "Message", fifo=fifo) for place, record in enumerate(texts)]
                response = client.publish_batch(TopicArn=self.topic_arn, PublishBatchRequestEntries=entries)
                return results(response, len(texts), offered_at_ms)

            return sent(records, offered_at_ms, send)

        return BatchSender(put, LIMITS, lambda record: len(record.payload))
