"""Kinesis as the source of a delivery stream: a reader per shard, from the latest record on at the time of its creation."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from moto.kinesis.models import kinesis_backends

from harness.inside.firehose.record import Incoming, new_id
from harness.inside.kinesis.shard import IndexedShard

if TYPE_CHECKING:
    from harness.inside.firehose.delivery import Delivery

_RECORDS, _BYTES = 1000, 4 * 1024 * 1024
_LOOK_S = 0.5


class KinesisReader:
    """Reads all shards of a stream into a delivery stream's buffer."""

    def __init__(self, delivery: Delivery, stream_arn: str) -> None:
        self._delivery = delivery
        parts = stream_arn.split(":")
        self._backend = kinesis_backends[parts[4]][parts[3]]
        self._stream_name = stream_arn.partition(":stream/")[2]
        self._places = {shard.shard_id: shard.tip for shard in self._shards()}
        self._readers: set[str] = set()
        threading.Thread(target=self._follow, name=f"firehose-{self._stream_name}", daemon=True).start()

    def behind(self) -> int:
        """Returns how many records of the stream are not in the buffer yet."""
        return sum(shard.tip - max(self._places.get(shard.shard_id, 0), shard.horizon) for shard in self._shards())

    def _shards(self) -> list[IndexedShard]:
        stream = self._backend.streams.get(self._stream_name)
        return [shard for shard in stream.shards.values() if isinstance(shard, IndexedShard)] if stream else []

    def _follow(self) -> None:
        """Gives every shard its reader, those of later resharding too."""
        while not self._delivery.closed.is_set():
            for shard in self._shards():
                if shard.shard_id not in self._readers:
                    self._readers.add(shard.shard_id)
                    self._places.setdefault(shard.shard_id, shard.horizon)
                    threading.Thread(target=self._read, args=(shard,), name=f"firehose-{shard.shard_id}", daemon=True).start()
            self._delivery.closed.wait(_LOOK_S)

    def _read(self, shard: IndexedShard) -> None:
        while not self._delivery.closed.is_set():
            index = max(self._places[shard.shard_id], shard.horizon)
            if not shard.wait_for(index, timeout_s=1):
                if not shard.is_open:
                    return
                continue
            batch = shard.read(index, _RECORDS, _BYTES)
            self._delivery.take(
                [
                    Incoming(
                        new_id(),
                        record.data,
                        record.arrived_at_s,
                        {
                            "sequenceNumber": record.sequence_number,
                            "subsequenceNumber": 0,
                            "partitionKey": record.partition_key,
                            "shardId": shard.shard_id,
                            "approximateArrivalTimestamp": round(record.arrived_at_s * 1000),
                        },
                    )
                    for record in batch
                ]
            )
            self._places[shard.shard_id] = index + len(batch)
