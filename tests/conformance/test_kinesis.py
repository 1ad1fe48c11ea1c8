"""Kinesis: the shards of a stream."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tests.conformance.functions import wait_until

LIST = "kinesis/latest/APIReference/API_ListShards.html"


@pytest.fixture
def kinesis(clients):
    """A client, and the stream `s` of two shards."""
    client = clients("kinesis")
    client.create_stream(StreamName="s", ShardCount=2)
    wait_until(lambda: active(client), "the stream to be active")
    return client


def active(client):
    return client.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"


def next_second():
    """Waits until the clock shows another second, and returns it: what tells times apart that are sent as whole seconds."""
    now = int(time.time())
    return wait_until(lambda: int(time.time()) > now and int(time.time()), "the next second", 5)


def split(client):
    """Splits the first shard."""
    client.split_shard(StreamName="s", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**126))
    wait_until(lambda: active(client), "the split")


def shards(client, **options):
    return [int(shard["ShardId"][-12:]) for shard in client.list_shards(**{"StreamName": "s", **options})["Shards"]]


@pytest.mark.rule(LIST)
@pytest.mark.parametrize(
    ("kind", "found"),
    [("AT_LATEST", [1, 2, 3]), ("AT_TRIM_HORIZON", [0, 1]), ("FROM_TRIM_HORIZON", [0, 1, 2, 3]), ("AFTER_SHARD_ID", [2, 3])],
)
def test_a_filter_of_shards(kinesis, kind, found):
    """A ShardFilter selects the shards that were open at its position, or since."""
    split(kinesis)
    more = {"ShardId": "shardId-000000000001"} if kind == "AFTER_SHARD_ID" else {}
    assert shards(kinesis, ShardFilter={"Type": kind, **more}) == found


@pytest.mark.rule(LIST)
def test_the_shards_of_a_moment(kinesis):
    """AT_TIMESTAMP selects the shards that were open then, FROM_TIMESTAMP those that were open then or later."""
    before = next_second()
    next_second()
    split(kinesis)
    before, after = (datetime.fromtimestamp(at, UTC) for at in (before, next_second()))
    assert shards(kinesis, ShardFilter={"Type": "AT_TIMESTAMP", "Timestamp": before}) == [0, 1]
    assert shards(kinesis, ShardFilter={"Type": "AT_TIMESTAMP", "Timestamp": after}) == [1, 2, 3]
    assert shards(kinesis, ShardFilter={"Type": "FROM_TIMESTAMP", "Timestamp": before}) == [0, 1, 2, 3]
    assert shards(kinesis, ShardFilter={"Type": "FROM_TIMESTAMP", "Timestamp": after}) == [1, 2, 3]


@pytest.mark.rule(LIST)
@pytest.mark.parametrize(
    "wanted", [{"Type": "AFTER_SHARD_ID"}, {"Type": "AT_TIMESTAMP"}, {"Type": "AT_LATEST", "ShardId": "shardId-000000000001"}]
)
def test_a_filter_has_what_its_type_needs(kinesis, wanted):
    """A ShardFilter without the shard or timestamp of its type is refused."""
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        shards(kinesis, ShardFilter=wanted)


@pytest.mark.rule(LIST)
def test_shards_by_pages(kinesis):
    """MaxResults and NextToken go through all shards; ExclusiveStartShardId begins after one."""
    split(kinesis)
    found, answer = [], kinesis.list_shards(StreamName="s", MaxResults=3, ShardFilter={"Type": "FROM_TRIM_HORIZON"})
    while True:
        found += [int(shard["ShardId"][-12:]) for shard in answer["Shards"]]
        if "NextToken" not in answer:
            break
        answer = kinesis.list_shards(NextToken=answer["NextToken"], MaxResults=3)
    assert found == [0, 1, 2, 3]
    assert shards(kinesis, ExclusiveStartShardId="shardId-000000000002") == [3]


@pytest.mark.rule(LIST)
def test_a_token_goes_without_a_name(kinesis):
    """NextToken and StreamName are not given together."""
    token = kinesis.list_shards(StreamName="s", MaxResults=1)["NextToken"]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        kinesis.list_shards(StreamName="s", NextToken=token)


@pytest.mark.rule(LIST)
def test_a_closed_shard_has_an_ending_sequence_number(kinesis):
    """The parent of a split has an EndingSequenceNumber, and its children name it."""
    split(kinesis)
    by_id = {int(one["ShardId"][-12:]): one for one in kinesis.list_shards(StreamName="s")["Shards"]}
    assert ["EndingSequenceNumber" in by_id[n]["SequenceNumberRange"] for n in range(4)] == [True, False, False, False]
    assert [by_id[n].get("ParentShardId") for n in range(4)] == [None, None, *["shardId-000000000000"] * 2]


@pytest.mark.rule("kinesis/latest/APIReference/API_DescribeStream.html")
def test_a_description_by_pages(kinesis):
    """ExclusiveStartShardId leads to the next page of shards."""
    split(kinesis)
    first = kinesis.describe_stream(StreamName="s", Limit=3)["StreamDescription"]
    rest = kinesis.describe_stream(StreamName="s", ExclusiveStartShardId=first["Shards"][-1]["ShardId"])["StreamDescription"]
    assert [[int(one["ShardId"][-12:]) for one in page["Shards"]] for page in (first, rest)] == [[0, 1, 2], [3]]
    assert (first["HasMoreShards"], rest["HasMoreShards"]) == (True, False)


@pytest.mark.rule("kinesis/latest/APIReference/API_DescribeStreamSummary.html")
def test_open_shards_are_counted(kinesis):
    """OpenShardCount is the number of open shards: a shard that was split is closed."""
    split(kinesis)
    assert kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["OpenShardCount"] == 3


@pytest.mark.rule("kinesis/latest/APIReference/API_DeleteStream.html")
def test_a_stream_with_consumers_stays(kinesis):
    """A consumer is registered once; a stream that has consumers is deleted only with EnforceConsumerDeletion."""
    arn = kinesis.describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]["StreamARN"]
    kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")
    with pytest.raises(kinesis.exceptions.ResourceInUseException):
        kinesis.delete_stream(StreamName="s")
    kinesis.delete_stream(StreamName="s", EnforceConsumerDeletion=True)
