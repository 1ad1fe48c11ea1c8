"""PutRecordBatch to a delivery stream.

Source: https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.accounting.record import Answer, Record, Status
from harness.parts.batching import BatchSender, Limits, Result
from harness.parts.ports import Context, Ingress

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = Limits(records=500, batch_bytes=4 * 1024 * 1024, record_bytes=1000 * 1024)


class Firehose(Ingress):
    """Puts each record on `delivery_stream`, with `separator` behind it: Firehose adds none between records."""

    shareable: ClassVar[bool] = True

    delivery_stream: str
    separator: str = "\n"

    def open(self, context: Context) -> BatchSender:
        """Returns the sender."""
        client = context.clients("firehose", retries=False)
        behind = self.separator.encode()

        def put(records: Sequence[Record], offered_at_ms: int) -> list[Result]:
            entries = [{"Data": record.payload + behind} for record in records]
            response = client.put_record_batch(DeliveryStreamName=self.delivery_stream, Records=entries)
            return [
                Answer(Status.ACKED, offered_at_ms, detail=f"record {entry['RecordId']}")
                if entry.get("RecordId")
                else f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
                for entry in response["RequestResponses"]
            ]

        return BatchSender(put, LIMITS, lambda record: len(record.payload) + len(behind))
