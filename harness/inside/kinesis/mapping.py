"""Event source mappings on a Kinesis stream, or on an enhanced fan-out consumer of one."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from localstack.services.lambda_.event_source_mapping.pollers.kinesis_poller import KinesisPoller
from moto.kinesis.models import kinesis_backends

from harness.inside.kinesis import script
from harness.inside.streams.mapping import StreamMapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.kinesis.shard import IndexedShard, StreamRecord

# What the envelope of a record takes: names, sequence number, ARNs.
_ENVELOPE_BYTES = 900


class KinesisMapping(StreamMapping, KinesisPoller):
    """One mapping. The account and region of its stream are those of the ARN."""

    @property
    def _stream_name(self) -> str:
        return self.source_arn.partition(":stream/")[2].partition("/consumer/")[0]

    def stream_shards(self) -> list[IndexedShard]:
        stream = kinesis_backends[self.account][self.region].streams.get(self._stream_name)
        return list(stream.shards.values()) if stream else []

    def parents(self, shard: IndexedShard) -> set[str]:
        return {parent for parent in (shard.parent, shard.adjacent_parent) if parent is not None}

    def key_of(self, record: StreamRecord) -> str:
        return record.partition_key

    def size_of(self, record: StreamRecord) -> int:
        """Counts the data as base64, and every character of the partition key escaped."""
        return (len(record.data) + 2) // 3 * 4 + 6 * len(record.partition_key) + _ENVELOPE_BYTES

    def events(self, shard_id: str, batch: Sequence[StreamRecord]) -> list[dict[str, Any]]:
        return [
            {
                "eventID": f"{shard_id}:{record.sequence_number}",
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": record.partition_key,
                    "sequenceNumber": record.sequence_number,
                    "data": base64.b64encode(record.data).decode(),
                    "approximateArrivalTimestamp": round(record.arrived_at_s, 3),
                },
            }
            for record in batch
        ]

    def view(self, event: dict[str, Any]) -> dict[str, Any]:
        """Returns the record's metadata, with its data as JSON where it is JSON.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html"""
        fields = event["kinesis"]
        view = {**fields, "kinesis": fields}
        try:
            view["data"] = json.loads(base64.b64decode(fields["data"]))
        except ValueError:
            view["data"] = base64.b64decode(fields["data"]).decode(errors="replace")
        return view

    def told_size(self, shard: IndexedShard, index: int, batch_size: int) -> int | None:
        told = script.of_shard(self.account, self._stream_name, shard.shard_id)
        function = self.configured("FunctionArn", "").split(":")
        if not told or len(function) <= 6:
            return None
        return told.size_of(function[6], shard, index, batch_size, filters=bool(self.filter_patterns))
