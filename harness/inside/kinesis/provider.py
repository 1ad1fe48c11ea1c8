"""Kinesis inside LocalStack's process: moto for the control plane, our shards for the records.

Limits and error codes are those of the API reference of PutRecord, PutRecords, GetShardIterator and GetRecords
(https://docs.aws.amazon.com/kinesis/latest/APIReference/).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from localstack.aws.api import CommonServiceException
from localstack.aws.api.kinesis import (
    ChildShard,
    DescribeStreamOutput,
    DescribeStreamSummaryOutput,
    ExpiredIteratorException,
    GetRecordsOutput,
    GetShardIteratorOutput,
    HashKeyRange,
    InvalidArgumentException,
    ListShardsOutput,
    PutRecordOutput,
    PutRecordsOutput,
    PutRecordsResultEntry,
    Record,
    RegisterStreamConsumerOutput,
    ResourceInUseException,
    ResourceNotFoundException,
)
from localstack.services.kinesis.provider import KinesisProvider
from localstack.services.moto import call_moto
from moto.kinesis.exceptions import StreamNotFoundError
from moto.kinesis.models import kinesis_backends

from harness.inside.kinesis import listing, script
from harness.inside.kinesis.shard import IndexedShard
from harness.inside.kinesis.throughput import ShardThroughput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localstack.aws.api import RequestContext
    from moto.kinesis.models import Stream

MAX_RECORDS_PER_PUT = 500
MAX_RECORD_BYTES = 1024 * 1024
MAX_PUT_BYTES = 5 * 1024 * 1024
MAX_RECORDS_PER_GET = 10_000
MAX_GET_BYTES = 10 * 1024 * 1024
MAX_PARTITION_KEY_CHARS = 256
SHARDS_PER_DESCRIPTION = 100
ITERATOR_LIFE_S = 300
_HASH_SPACE = 2**128


class _ValidationError(CommonServiceException):
    """Kinesis answers `ValidationException` for a value outside its model, though the model does not declare it."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message, status_code=400, sender_fault=True)


class PipeproofKinesisProvider(KinesisProvider):
    """PutRecord(s), GetShardIterator, GetRecords and ListShards on `IndexedShard`, and what moto tells wrongly of shards and consumers; all else falls through to moto."""

    def __init__(self) -> None:
        super().__init__()
        self._throughput = ShardThroughput.from_environment()

    def put_record(
        self, context: RequestContext, data: Any, partition_key: str, stream_name: str | None = None,
        explicit_hash_key: str | None = None,
        stream_arn: str | None = None, **_: Any,
    ) -> PutRecordOutput:  # fmt: skip
        stream = _stream(context, stream_name, stream_arn)
        entry = {"Data": data, "PartitionKey": partition_key, "ExplicitHashKey": explicit_hash_key}
        _validate([entry])
        shard = _shard_for(stream, entry)
        if not self._throughput.admits(shard, _size(entry)):
            raise CommonServiceException(
                "ProvisionedThroughputExceededException", _rate_message(shard, stream), status_code=400, sender_fault=True
            )
        return PutRecordOutput(
            ShardId=shard.shard_id,
            SequenceNumber=_append(stream, shard, [(partition_key, data)])[0],
            EncryptionType=stream.encryption_type,
        )

    def put_records(
        self, context: RequestContext, records: list[Any], stream_name: str | None = None,
        stream_arn: str | None = None, **_: Any,
    ) -> PutRecordsOutput:  # fmt: skip
        stream = _stream(context, stream_name, stream_arn)
        _validate(records)
        _trim(stream)
        results: list[Any] = [None] * len(records)
        failed = 0
        # A replay repeats the order of the records, of whichever shard.
        one_by_one = any(script.of_shard(stream.account_id, stream.stream_name, name) for name in stream.shards)
        groups: list[tuple[IndexedShard, list[int]]] = []
        of_shard: dict[str, list[int]] = {}
        for place, entry in enumerate(records):
            shard = _shard_for(stream, entry)
            if not self._throughput.enforced or self._throughput.admits(shard, _size(entry)):
                name = shard.shard_id
                if one_by_one or name not in of_shard:
                    of_shard[name] = []
                    groups.append((shard, of_shard[name]))
                of_shard[name].append(place)
            else:
                failed += 1
                results[place] = PutRecordsResultEntry(
                    ErrorCode="ProvisionedThroughputExceededException", ErrorMessage=_rate_message(shard, stream)
                )
        for shard, places in groups:
            name = shard.shard_id
            numbers = _append(stream, shard, [(records[place]["PartitionKey"], records[place]["Data"]) for place in places])
            for place, number in zip(places, numbers, strict=True):
                results[place] = {"ShardId": name, "SequenceNumber": number}
        return PutRecordsOutput(FailedRecordCount=failed, Records=results, EncryptionType=stream.encryption_type)

    def get_shard_iterator(
        self, context: RequestContext, shard_id: str, shard_iterator_type: str, stream_name: str | None = None,
        starting_sequence_number: str | None = None, timestamp: Any = None, stream_arn: str | None = None, **_: Any,
    ) -> GetShardIteratorOutput:  # fmt: skip
        stream = _stream(context, stream_name, stream_arn)
        shard = _shard(stream, shard_id)
        match shard_iterator_type:
            case "TRIM_HORIZON":
                index = shard.horizon
            case "LATEST":
                index = shard.tip
            case "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER":
                if starting_sequence_number is None:
                    raise InvalidArgumentException(f"Must specify startingSequenceNumber for {shard_iterator_type}")
                try:
                    index = shard.index_of(starting_sequence_number)
                except ValueError as error:
                    raise InvalidArgumentException(f"StartingSequenceNumber {error} in stream {stream.stream_name}") from error
                index += shard_iterator_type == "AFTER_SEQUENCE_NUMBER"
            case "AT_TIMESTAMP":
                if timestamp is None:
                    raise InvalidArgumentException("Must specify timestamp parameter for iterator type AT_TIMESTAMP")
                index = shard.index_at(timestamp.timestamp() if hasattr(timestamp, "timestamp") else float(timestamp))
            case other:
                raise _ValidationError(
                    f"1 validation error detected: Value '{other}' at 'shardIteratorType' is not an iterator type"
                )
        return GetShardIteratorOutput(ShardIterator=_encode_iterator(stream, shard, index))

    def get_records(
        self, context: RequestContext, shard_iterator: str, limit: int | None = None,
        stream_arn: str | None = None, **_: Any,
    ) -> GetRecordsOutput:  # fmt: skip
        if limit is not None and not 1 <= limit <= MAX_RECORDS_PER_GET:
            raise _ValidationError(f"1 validation error detected: Value '{limit}' at 'limit' must be between 1 and 10000")
        stream_name, shard_id, index = _decode_iterator(shard_iterator)
        stream = _stream(context, stream_name, stream_arn)
        shard = _shard(stream, shard_id)
        _trim(stream)
        records = shard.read(index, limit or MAX_RECORDS_PER_GET, MAX_GET_BYTES)
        next_index = max(index, shard.horizon) + len(records)
        arrived_at_s = shard.arrived_at(next_index)
        result = GetRecordsOutput(
            Records=[
                Record(
                    SequenceNumber=r.sequence_number, PartitionKey=r.partition_key, Data=r.data,
                    ApproximateArrivalTimestamp=r.arrived_at_s,
                )
                for r in records
            ],
            MillisBehindLatest=0 if arrived_at_s is None else int((time.time() - arrived_at_s) * 1000),
        )  # fmt: skip
        if shard.is_open or next_index < shard.tip:
            result["NextShardIterator"] = _encode_iterator(stream, shard, next_index)
        else:
            result["ChildShards"] = _children(stream, shard)
        return result

    def list_shards(
        self, context: RequestContext, stream_name: str | None = None, next_token: str | None = None,
        exclusive_start_shard_id: str | None = None, max_results: int | None = None, shard_filter: Any = None,
        stream_arn: str | None = None, **_: Any,
    ) -> ListShardsOutput:  # fmt: skip
        if next_token is not None:
            if stream_name or stream_arn or exclusive_start_shard_id:
                raise InvalidArgumentException("NextToken and StreamName cannot be provided together.")
            stream_name, exclusive_start_shard_id, shard_filter = listing.of_token(next_token)
        stream = _stream(context, stream_name, stream_arn)
        shards, last = listing.page(listing.filtered(stream, shard_filter), exclusive_start_shard_id, max_results)
        result = ListShardsOutput(Shards=[shard.to_json() for shard in shards])
        if last:
            result["NextToken"] = listing.token(stream, last, shard_filter)
        return result

    def describe_stream(
        self, context: RequestContext, stream_name: str | None = None, limit: int | None = None,
        exclusive_start_shard_id: str | None = None, stream_arn: str | None = None, **_: Any,
    ) -> DescribeStreamOutput:  # fmt: skip
        stream = _stream(context, stream_name, stream_arn)
        answer = call_moto(context)
        shards, last = listing.page(listing.filtered(stream, None), exclusive_start_shard_id, limit or SHARDS_PER_DESCRIPTION)
        answer["StreamDescription"] |= {"Shards": [shard.to_json() for shard in shards], "HasMoreShards": last is not None}
        return answer  # type: ignore[no-any-return]

    def describe_stream_summary(
        self, context: RequestContext, stream_name: str | None = None, stream_arn: str | None = None, **_: Any
    ) -> DescribeStreamSummaryOutput:
        stream = _stream(context, stream_name, stream_arn)
        answer = call_moto(context)
        answer["StreamDescriptionSummary"]["OpenShardCount"] = sum(shard.is_open for shard in stream.shards.values())
        return answer  # type: ignore[no-any-return]

    def delete_stream(
        self, context: RequestContext, stream_name: str | None = None, enforce_consumer_deletion: bool | None = None,  # noqa: FBT001 - LocalStack's
        stream_arn: str | None = None, **_: Any,
    ) -> None:  # fmt: skip
        stream = _stream(context, stream_name, stream_arn)
        if stream.consumers and not enforce_consumer_deletion:
            raise ResourceInUseException(
                f"Stream {stream.stream_name} under account {context.account_id} has registered consumers."
            )
        call_moto(context)

    def register_stream_consumer(
        self, context: RequestContext, stream_arn: str, consumer_name: str, **_: Any
    ) -> RegisterStreamConsumerOutput:
        stream = _stream(context, None, stream_arn)
        if any(consumer.consumer_name == consumer_name for consumer in stream.consumers):
            raise ResourceInUseException(
                f"Consumer {consumer_name} under stream {stream.stream_name} already exists for account {context.account_id}."
            )
        return call_moto(context)  # type: ignore[no-any-return]


def _stream(context: RequestContext, name: str | None, arn: str | None) -> Stream:
    try:
        return kinesis_backends[context.account_id][context.region].describe_stream(stream_arn=arn, stream_name=name)
    except StreamNotFoundError as error:
        wanted = name or (arn or "").partition("/")[2]
        raise ResourceNotFoundException(f"Stream {wanted} under account {context.account_id} not found.") from error


def _shard(stream: Stream, shard_id: str) -> IndexedShard:
    shard = stream.shards.get(shard_id)
    if not isinstance(shard, IndexedShard):
        raise ResourceNotFoundException(
            f"Shard {shard_id} in stream {stream.stream_name} under account {stream.account_id} does not exist"
        )
    return shard


def _shard_for(stream: Stream, entry: Any) -> IndexedShard:
    explicit = entry.get("ExplicitHashKey")
    if not explicit and len(stream.shards) == 1:
        (shard,) = stream.shards.values()
        if shard.is_open:
            return shard  # type: ignore[no-any-return]
    key = int(explicit) if explicit else int.from_bytes(hashlib.md5(entry["PartitionKey"].encode()).digest())  # noqa: S324
    for shard in stream.shards.values():
        if shard.is_open and shard.starting_hash <= key <= shard.ending_hash:
            return shard  # type: ignore[no-any-return]
    message = f"no open shard of {stream.stream_name} holds the hash key {key}"
    raise InvalidArgumentException(message)


def _append(stream: Stream, shard: IndexedShard, entries: Sequence[tuple[str, bytes]]) -> list[str]:
    """Stores records, of partition key and data, and returns their sequence numbers. In a replay each first waits for its turn."""
    told = script.of_shard(stream.account_id, stream.stream_name, shard.shard_id)
    if told is None:
        return shard.append_all(entries)
    numbers = []
    for partition_key, data in entries:
        with told.turn(data):
            numbers.append(shard.append(partition_key, data))
    return numbers


def _children(stream: Stream, parent: IndexedShard) -> list[ChildShard]:
    """Returns the shards that a closed one was split or merged into."""
    return [
        ChildShard(
            ShardId=shard.shard_id,
            ParentShards=[name for name in (shard.parent, shard.adjacent_parent) if name],
            HashKeyRange=HashKeyRange(StartingHashKey=str(shard.starting_hash), EndingHashKey=str(shard.ending_hash)),
        )
        for shard in stream.shards.values()
        if parent.shard_id in {shard.parent, shard.adjacent_parent}
    ]


def _size(entry: Any) -> int:
    return len(entry["Data"]) + len(entry["PartitionKey"].encode())


def _validate(entries: list[Any]) -> None:
    """Raises what Kinesis answers for a request that exceeds a limit; nothing of such a request is stored."""
    if not 1 <= len(entries) <= MAX_RECORDS_PER_PUT:
        raise _ValidationError(
            f"1 validation error detected: Value at 'records' failed to satisfy constraint: "
            f"Member must have length between 1 and {MAX_RECORDS_PER_PUT} (it has {len(entries)})"
        )
    total = 0
    for number, entry in enumerate(entries, start=1):
        where = f"records.{number}.member"
        size = _size(entry)
        total += size
        if size > MAX_RECORD_BYTES:
            raise _ValidationError(
                f"1 validation error detected: Value at '{where}.data' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_RECORD_BYTES}"
            )
        if not 1 <= len(entry["PartitionKey"]) <= MAX_PARTITION_KEY_CHARS:
            raise _ValidationError(
                f"1 validation error detected: Value at '{where}.partitionKey' failed to satisfy constraint: "
                f"Member must have length between 1 and {MAX_PARTITION_KEY_CHARS}"
            )
        explicit = entry.get("ExplicitHashKey")
        if explicit and not (explicit.isdecimal() and int(explicit) < _HASH_SPACE):
            raise InvalidArgumentException(f"Invalid ExplicitHashKey at '{where}': {explicit} is not in [0, 2^128)")
    if total > MAX_PUT_BYTES:
        raise InvalidArgumentException(f"Records size exceeds 5 MB limit (it is {total} bytes)")


def _trim(stream: Stream) -> None:
    before_s = time.time() - stream.retention_period_hours * 3600
    for shard in stream.shards.values():
        oldest = shard.arrived_at(shard.horizon)  # type: ignore[attr-defined]
        if oldest is not None and oldest < before_s:
            shard.trim(before_s)  # type: ignore[attr-defined]


def _rate_message(shard: IndexedShard, stream: Stream) -> str:
    return f"Rate exceeded for shard {shard.shard_id} in stream {stream.stream_name} under account {stream.account_id}."


def _encode_iterator(stream: Stream, shard: IndexedShard, index: int) -> str:
    token = [stream.stream_name, shard.shard_id, index, time.time()]
    return base64.b64encode(json.dumps(token).encode()).decode()


def _decode_iterator(token: str) -> tuple[str, str, int]:
    """Returns stream name, shard id and index. Iterators live for five minutes, as on AWS."""
    try:
        stream_name, shard_id, index, issued_at_s = json.loads(base64.b64decode(token, validate=True))
        age_s = time.time() - issued_at_s
    except (ValueError, TypeError) as error:
        raise InvalidArgumentException("Invalid ShardIterator.") from error
    if age_s > ITERATOR_LIFE_S:
        raise ExpiredIteratorException(
            f"Iterator expired. The iterator was created {age_s:.0f} s ago, "
            f"the tolerated delay is {ITERATOR_LIFE_S * 1000} milliseconds."
        )
    return stream_name, shard_id, index
