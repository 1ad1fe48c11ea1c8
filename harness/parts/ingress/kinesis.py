"""PutRecords to a stream.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.accounting.record import Answer, Record, Status
from harness.parts.batching import BatchSender, Limits, Result
from harness.parts.ports import Context, Ingress

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = Limits(records=500, batch_bytes=5 * 1024 * 1024, record_bytes=1024 * 1024)


class Kinesis(Ingress):
    """Sends each record to `stream`. The answer's shard and sequence number are the stream's."""

    shareable: ClassVar[bool] = True

    stream: str

    def open(self, context: Context) -> BatchSender:
        """Returns the sender."""
        # Without the SDK's own retries: it repeats requests whose answer was lost, which doubles records.
        client = context.clients("kinesis", retries=False)

        def put(records: Sequence[Record], offered_at_ms: int) -> list[Result]:
            entries = [{"Data": record.payload, "PartitionKey": record.key} for record in records]
            response = client.put_records(StreamName=self.stream, Records=entries)
            return [
                Answer(Status.ACKED, offered_at_ms, entry["ShardId"], entry["SequenceNumber"])
                if entry.get("SequenceNumber")
                else f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
                for entry in response["Records"]
            ]

        return BatchSender(put, LIMITS, lambda record: len(record.payload) + len(record.key.encode()))
