"""Kinesis keeps AWS's limits and answers with AWS's error codes; cost stays linear; resharding is followed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def kinesis(clients):
    return clients("kinesis")


def create(kinesis, name="stream", shards=1):
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return name


def code(refused):
    return refused.value.response["Error"]["Code"]


def read_all(kinesis, stream, shard, **position):
    position = position or {"ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, **position)["ShardIterator"]
    records = []
    while iterator:
        answer = kinesis.get_records(ShardIterator=iterator)
        records += answer["Records"]
        if not answer["Records"]:
            break
        iterator = answer.get("NextShardIterator")
    return records


def entries(count, size=10):
    return [{"Data": b"x" * size, "PartitionKey": f"k{number}"} for number in range(count)]


def test_a_record_goes_to_the_shard_that_holds_the_hash_of_its_key(kinesis):
    stream = create(kinesis, shards=4)
    shards = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["Shards"]
    answers = kinesis.put_records(StreamName=stream, Records=entries(200))["Records"]
    for number, answer in enumerate(answers):
        key = int(hashlib.md5(f"k{number}".encode()).hexdigest(), 16)
        holder = next(
            s for s in shards if int(s["HashKeyRange"]["StartingHashKey"]) <= key <= int(s["HashKeyRange"]["EndingHashKey"])
        )
        assert answer["ShardId"] == holder["ShardId"]


def test_sequence_numbers_have_56_digits_and_grow(kinesis):
    stream = create(kinesis)
    numbers = [r["SequenceNumber"] for r in kinesis.put_records(StreamName=stream, Records=entries(100))["Records"]]
    assert {len(number) for number in numbers} == {56}
    assert numbers == sorted(numbers, key=int)
    assert len(set(numbers)) == 100


def test_records_come_back_as_they_were_in_order(kinesis):
    stream = create(kinesis)
    data = [bytes([n % 256]) * n for n in range(300)]
    kinesis.put_records(StreamName=stream, Records=[{"Data": d, "PartitionKey": "k"} for d in data])
    assert [r["Data"] for r in read_all(kinesis, stream, "shardId-000000000000")] == data


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (entries(501), "ValidationException"),
        (entries(1, size=1024 * 1024 + 1), "ValidationException"),
        (entries(6, size=1000 * 1024), "InvalidArgumentException"),
        ([{"Data": b"x", "PartitionKey": "k" * 257}], "ValidationException"),
        ([{"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(2**128)}], "InvalidArgumentException"),
    ],
    ids=["501 records", "1 MiB + 1", "over 5 MiB together", "long key", "hash key too large"],
)
def test_a_request_over_a_limit_is_refused_whole(kinesis, records, expected):
    stream = create(kinesis)
    with pytest.raises(ClientError) as refused:
        kinesis.put_records(StreamName=stream, Records=records)
    assert code(refused) == expected
    assert read_all(kinesis, stream, "shardId-000000000000") == []


def test_a_record_of_exactly_1_mib_with_its_key_is_taken(kinesis):
    stream = create(kinesis)
    kinesis.put_record(StreamName=stream, Data=b"x" * (1024 * 1024 - 1), PartitionKey="k")
    with pytest.raises(ClientError) as refused:
        kinesis.put_record(StreamName=stream, Data=b"x" * 1024 * 1024, PartitionKey="k")
    assert code(refused) == "ValidationException"


def test_an_unknown_stream_and_an_unknown_shard_are_not_found(kinesis):
    stream = create(kinesis)
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.put_records(StreamName="nowhere", Records=entries(1))
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000009", ShardIteratorType="LATEST")


def test_iterators_start_where_they_say(kinesis):
    stream, shard = create(kinesis), "shardId-000000000000"
    first, second = (kinesis.put_record(StreamName=stream, Data=d, PartitionKey="k")["SequenceNumber"] for d in (b"1", b"2"))

    def data(**position):
        return b"".join(r["Data"] for r in read_all(kinesis, stream, shard, **position))

    assert data(ShardIteratorType="TRIM_HORIZON") == b"12"
    assert data(ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber=second) == b"2"
    assert data(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=first) == b"2"
    assert data(ShardIteratorType="LATEST") == b""
    now = datetime.now(UTC)
    assert data(ShardIteratorType="AT_TIMESTAMP", Timestamp=now - timedelta(hours=1)) == b"12"
    assert data(ShardIteratorType="AT_TIMESTAMP", Timestamp=now + timedelta(hours=1)) == b""


def test_an_iterator_that_is_none_is_an_invalid_argument(kinesis):
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        kinesis.get_records(ShardIterator="bm9uc2Vuc2U=")


def test_a_limit_outside_1_to_10000_is_refused(kinesis):
    stream = create(kinesis)
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="LATEST")
    with pytest.raises(ClientError) as refused:
        kinesis.get_records(ShardIterator=iterator["ShardIterator"], Limit=10_001)
    assert code(refused) == "ValidationException"


def test_a_split_shard_is_read_to_its_end_and_its_children_take_over(kinesis):
    stream = create(kinesis)
    kinesis.put_records(StreamName=stream, Records=entries(10))
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    answers = kinesis.put_records(StreamName=stream, Records=entries(40))["Records"]
    assert {a["ShardId"] for a in answers} == {"shardId-000000000001", "shardId-000000000002"}
    assert len(read_all(kinesis, stream, "shardId-000000000000")) == 10
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    answer = kinesis.get_records(ShardIterator=iterator["ShardIterator"])
    assert "NextShardIterator" not in answer, "a closed shard that is read to its end has no next iterator"
