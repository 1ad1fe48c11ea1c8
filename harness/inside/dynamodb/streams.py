"""The API of DynamoDB Streams on the logs of moto's tables.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from localstack.aws.api import CommonServiceException
from localstack.aws.api.dynamodbstreams import (
    DescribeStreamOutput,
    DynamodbstreamsApi,
    ExpiredIteratorException,
    GetRecordsOutput,
    GetShardIteratorOutput,
    ListStreamsOutput,
    ResourceNotFoundException,
    TrimmedDataAccessException,
)
from moto.dynamodb.models import dynamodb_backends

from harness.inside.dynamodb.log import TableLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localstack.aws.api import RequestContext

ITERATOR_LIFE_S = 15 * 60
MAX_RECORDS, MAX_BYTES = 1000, 1024 * 1024


class PipeproofDynamoDBStreamsProvider(DynamodbstreamsApi):  # type: ignore[misc]
    """All four operations. A stream has one shard."""

    def list_streams(
        self, context: RequestContext, table_name: str | None = None, limit: int | None = None,
        exclusive_start_stream_arn: str | None = None, **_: Any,
    ) -> ListStreamsOutput:  # fmt: skip
        streams = [
            {"StreamArn": arn, "TableName": table.name, "StreamLabel": table.latest_stream_label}
            for arn, table in _streams(context.account_id, context.region)
            if table_name in {None, table.name}
        ]
        arns = [stream["StreamArn"] for stream in streams]
        first = arns.index(exclusive_start_stream_arn) + 1 if exclusive_start_stream_arn in arns else 0
        page = streams[first : first + (limit or 100)]
        more = first + len(page) < len(streams)
        return ListStreamsOutput(Streams=page, **({"LastEvaluatedStreamArn": page[-1]["StreamArn"]} if more else {}))

    def describe_stream(
        self,
        context: RequestContext,
        stream_arn: str,
        limit: int | None = None,
        exclusive_start_shard_id: str | None = None,
        **_: Any,
    ) -> DescribeStreamOutput:
        del context, limit
        table = _table(stream_arn)
        shards = [] if exclusive_start_shard_id == table.stream_shard.id else [table.stream_shard.to_json()]
        return DescribeStreamOutput(
            StreamDescription={
                "StreamArn": stream_arn,
                "StreamLabel": table.latest_stream_label,
                "StreamStatus": "ENABLED" if table.stream_specification.get("StreamEnabled") else "DISABLED",
                "StreamViewType": table.stream_specification.get("StreamViewType"),
                "CreationRequestDateTime": table.stream_shard.created_on,
                "TableName": table.name,
                "KeySchema": table.schema,
                "Shards": shards,
            }
        )

    def get_shard_iterator(
        self, context: RequestContext, stream_arn: str, shard_id: str, shard_iterator_type: str,
        sequence_number: str | None = None, **_: Any,
    ) -> GetShardIteratorOutput:  # fmt: skip
        del context
        log = _log(stream_arn)
        if shard_id != log.id:
            raise ResourceNotFoundException(f"Requested resource not found: Shard does not exist: {shard_id}")
        match shard_iterator_type:
            case "TRIM_HORIZON":
                index = log.horizon
            case "LATEST":
                index = log.tip
            case _:
                try:
                    index = log.index_of(sequence_number or "") + (shard_iterator_type == "AFTER_SEQUENCE_NUMBER")
                except ValueError as error:
                    message = "Invalid SequenceNumber"
                    raise CommonServiceException("ValidationException", message, status_code=400, sender_fault=True) from error
        return GetShardIteratorOutput(ShardIterator=_iterator(stream_arn, index))

    def get_records(self, context: RequestContext, shard_iterator: str, limit: int | None = None, **_: Any) -> GetRecordsOutput:
        stream_arn, index = _decoded(shard_iterator)
        log = _log(stream_arn)
        if index < log.horizon:
            raise TrimmedDataAccessException("Records of the given iterator have been trimmed.")
        batch = log.read(index, min(limit or MAX_RECORDS, MAX_RECORDS), MAX_BYTES, lambda record: int(record.fields["SizeBytes"]))
        records = [
            {
                "eventID": record.event_id,
                "eventName": record.event_name,
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": context.region,
                "dynamodb": _decoded_binaries(record.fields),
            }
            for record in batch
        ]
        return GetRecordsOutput(Records=records, NextShardIterator=_iterator(stream_arn, index + len(batch)))


def _streams(account: str, region: str) -> Iterator[tuple[str, Any]]:
    for table in list(dynamodb_backends[account][region].tables.values()):
        if isinstance(table.stream_shard, TableLog) and table.latest_stream_label:
            yield f"{table.table_arn}/stream/{table.latest_stream_label}", table


def _table(stream_arn: str) -> Any:
    """Returns the table of a stream. Raises ResourceNotFoundException where the table is gone or has another stream."""
    parts = stream_arn.split(":")
    for arn, table in _streams(parts[4], parts[3]) if len(parts) > 5 else ():
        if arn == stream_arn:
            return table
    raise ResourceNotFoundException(f"Requested resource not found: Stream: {stream_arn} not found")


def _log(stream_arn: str) -> TableLog:
    log: TableLog = _table(stream_arn).stream_shard
    return log


def _iterator(stream_arn: str, index: int) -> str:
    token = base64.b64encode(json.dumps([index, time.time()]).encode()).decode()
    return f"{stream_arn}|1|{token}"


def _decoded(iterator: str) -> tuple[str, int]:
    """Returns the stream's ARN and the index. Iterators live for fifteen minutes, as on AWS."""
    try:
        stream_arn, _, token = iterator.split("|")
        index, issued_at_s = json.loads(base64.b64decode(token, validate=True))
        age_s = time.time() - issued_at_s
    except (ValueError, TypeError) as error:
        raise CommonServiceException("ValidationException", "Invalid ShardIterator", status_code=400, sender_fault=True) from error
    if age_s > ITERATOR_LIFE_S:
        raise ExpiredIteratorException("The shard iterator has expired.")
    return stream_arn, index


def _decoded_binaries(value: Any) -> Any:
    """Returns a record's fields with binary attributes as bytes, which LocalStack's serializer encodes."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(binary := value.get("B"), str):
            return {"B": base64.b64decode(binary)}
        if len(value) == 1 and isinstance(binaries := value.get("BS"), list):
            return {"BS": [base64.b64decode(one) for one in binaries]}
        return {key: _decoded_binaries(member) for key, member in value.items()}
    return [_decoded_binaries(member) for member in value] if isinstance(value, list) else value
