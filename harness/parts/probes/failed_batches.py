"""The on-failure destination of a stream's event source mapping: messages that name a range of the stream, not its records.

The range is read back from the stream, which keeps its records for a day, or as long as its retention says.
Source of the message: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from harness.accounting.record import Observation, Outcome, payload_hash
from harness.errors import UnknownVerdictError
from harness.parts.ports import Context, Probe
from harness.parts.probes.sqs import documents, retention

if TYPE_CHECKING:
    from collections.abc import Iterator

# Five reads in a second of a shard are allowed.
_PAUSE_S = 0.25
_MOST_EMPTY = 240


class FailedBatches(Probe):
    """Reads the queue `queue_url`. Every record in a failed range is dead-lettered."""

    queue_url: str

    def open(self, context: Context) -> Iterator[Observation]:
        """Yields one sighting per record of each range. A message that names no range is seen without an identity."""
        for seen in documents(context, self.queue_url):
            try:
                batch = seen.document["KinesisBatchInfo"]
                found = {"shard": batch["shardId"], "first": batch["startSequenceNumber"], "last": int(batch["endSequenceNumber"])}
                stream = str(batch["streamArn"])
            except (TypeError, KeyError, ValueError):
                yield Observation(Outcome.DEAD_LETTERED, seen.place, content=seen.content)
                continue
            for record in _records(context, stream, **found):
                yield Observation(
                    Outcome.DEAD_LETTERED,
                    seen.place,
                    shard=found["shard"],
                    sequence=record["SequenceNumber"],
                    payload_hash=payload_hash(record["Data"]),
                )

    def doubts(self, context: Context) -> Iterator[str]:
        """Yields a reason where the queue does not keep its messages for long enough."""
        return retention(context, self.queue_url)


def _records(context: Context, stream: str, shard: str, first: str, last: int) -> Iterator[dict[str, Any]]:
    kinesis = context.clients("kinesis")
    iterator = kinesis.get_shard_iterator(
        StreamARN=stream, ShardId=shard, ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=first
    )["ShardIterator"]
    empty = 0
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator, StreamARN=stream)
        for record in answer["Records"]:
            if int(record["SequenceNumber"]) > last:
                return
            yield record
        # A page may be empty before the end.
        # https://docs.aws.amazon.com/streams/latest/dev/troubleshooting-consumers.html
        if not answer["Records"]:
            if not answer.get("MillisBehindLatest"):
                return
            context.check()
            empty += 1
            if empty > _MOST_EMPTY:
                raise UnknownVerdictError(f"{stream}: shard {shard} does not show its records from {first} on")
            time.sleep(_PAUSE_S)
        if answer["Records"] and int(answer["Records"][-1]["SequenceNumber"]) >= last:
            return
        iterator = answer.get("NextShardIterator")
