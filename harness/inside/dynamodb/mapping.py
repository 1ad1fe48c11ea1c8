"""Event source mappings on a DynamoDB stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localstack.services.lambda_.event_source_mapping.pollers.dynamodb_poller import DynamoDBPoller
from moto.dynamodb.models import dynamodb_backends

from harness.inside.dynamodb.log import TableLog
from harness.inside.streams.mapping import StreamMapping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.inside.dynamodb.log import TableRecord

_ENVELOPE_BYTES = 700


class DynamoDBMapping(StreamMapping, DynamoDBPoller):
    """One mapping. The stream that it reads has one shard."""

    def stream_shards(self) -> list[TableLog]:
        table_name = self.source_arn.partition(":table/")[2].partition("/")[0]
        table = dynamodb_backends[self.account][self.region].tables.get(table_name)
        log = table.stream_shard if table else None
        label = self.source_arn.rpartition("/")[2]
        return [log] if isinstance(log, TableLog) and table.latest_stream_label == label else []

    def parents(self, shard: TableLog) -> set[str]:
        del shard
        return set()

    def key_of(self, record: TableRecord) -> str:
        return repr(record.fields["Keys"])

    def size_of(self, record: TableRecord) -> int:
        return int(record.fields["SizeBytes"]) + _ENVELOPE_BYTES

    def events(self, shard_id: str, batch: Sequence[TableRecord]) -> list[dict[str, Any]]:
        del shard_id
        return [{"eventID": record.event_id, "eventName": record.event_name, "dynamodb": dict(record.fields)} for record in batch]

    def view(self, event: dict[str, Any]) -> dict[str, Any]:
        return event

    def get_approximate_arrival_time(self, record: dict[str, Any]) -> float:
        return float(record["dynamodb"]["ApproximateCreationDateTime"])
