"""The on-failure destination of a stream's event source mapping: messages that name a range of the stream, not its records.

The range is read back from the stream, which keeps its records for a day (or as long as its retention says).
Source of the message: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from harness.accounting.probes.messages import read_messages
from harness.accounting.record import Observation, Outcome, payload_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients


@dataclass(frozen=True, slots=True)
class FailedBatchProbe:
    """Every record in a failed range is dead-lettered."""

    clients: Clients
    queue_url: str

    def observe(self) -> Iterator[Observation]:
        """One observation per record of each range; a message that names no range is seen without an identity."""
        place = f"queue {self.queue_url.rsplit('/', 1)[-1]}"
        for _, body in read_messages(self.clients, self.queue_url):
            try:
                batch = from_json(body)["KinesisBatchInfo"]
            except (ValueError, TypeError, KeyError):
                yield Observation(Outcome.DEAD_LETTERED, place, content=body.encode())
                continue
            for record in self._records(batch):
                yield Observation(
                    Outcome.DEAD_LETTERED,
                    place,
                    shard=batch["shardId"],
                    sequence=record["SequenceNumber"],
                    payload_hash=payload_hash(record["Data"]),
                )

    def _records(self, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
        kinesis = self.clients("kinesis")
        iterator = kinesis.get_shard_iterator(
            StreamARN=batch["streamArn"],
            ShardId=batch["shardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
        last = int(batch["endSequenceNumber"])
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator, StreamARN=batch["streamArn"])
            for record in answer["Records"]:
                if int(record["SequenceNumber"]) > last:
                    return
                yield record
            if not answer["Records"] or int(answer["Records"][-1]["SequenceNumber"]) >= last:
                return
            iterator = answer.get("NextShardIterator")
