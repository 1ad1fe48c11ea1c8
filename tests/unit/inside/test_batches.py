"""Requests with several entries: what a batch of DynamoDB may have, and the order in which records of Kinesis are stored."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest
from localstack.aws.api import CommonServiceException

from harness.inside.dynamodb import limits
from harness.inside.kinesis import provider
from harness.inside.kinesis.throughput import ShardThroughput

TABLE = SimpleNamespace(
    hash_key_attr="id", range_key_attr=None, attr=[{"AttributeName": "id", "AttributeType": "S"}], global_indexes=(), indexes=()
)
PUT, DELETE = {"PutRequest": {"Item": {"id": {"S": "a"}}}}, {"DeleteRequest": {"Key": {"id": {"S": "a"}}}}


def verify(*writes):
    limits.verify("BatchWriteItem", {"RequestItems": {"t": list(writes)}}, SimpleNamespace(tables={"t": TABLE}))


@pytest.mark.parametrize("write", [PUT, DELETE, PUT | {"DeleteRequest": None}, DELETE | {"PutRequest": None}])
def test_an_entry_of_a_batch_puts_or_deletes(write):
    verify(write)


@pytest.mark.parametrize("write", [PUT | DELETE, {}, {"PutRequest": None}])
def test_an_entry_with_both_or_with_neither_is_refused(write):
    with pytest.raises(CommonServiceException) as refused:
        verify(write)
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize("second", [DELETE, {"PutRequest": {"Item": {"id": {"S": "a"}, "n": {"N": "1"}}}}])
def test_two_entries_of_one_key_are_refused_and_those_of_others_are_not(second):
    with pytest.raises(CommonServiceException, match="duplicates"):
        verify(PUT, second)
    verify(PUT, {"DeleteRequest": {"Key": {"id": {"S": "b"}}}})


class Shard:
    """Notes what is stored, in the order in which it is."""

    is_open = True

    def __init__(self, name, stored):
        self.shard_id, self._stored = name, stored
        # Each shard has half of the keys.
        half = 2**127
        self.starting_hash, self.ending_hash = (0, half - 1) if name == "a" else (half, 2 * half - 1)

    def append(self, key, data):
        return self.append_all([(key, data)])[0]

    def append_all(self, entries):
        self._stored += [data for _, data in entries]
        return [f"{self.shard_id}-{data.decode()}" for _, data in entries]


@pytest.mark.parametrize(("repeats", "order"), [(False, [b"1", b"3", b"2", b"4"]), (True, [b"1", b"2", b"3", b"4"])])
def test_records_are_answered_in_their_order_and_stored_in_it_where_a_replay_repeats_one(monkeypatch, repeats, order):
    stored = []
    shards = {name: Shard(name, stored) for name in "ab"}
    stream = SimpleNamespace(account_id="1", stream_name="s", shards=shards, encryption_type="NONE")
    monkeypatch.setattr(provider, "_stream", lambda *_: stream)
    monkeypatch.setattr(provider, "_trim", lambda _: None)
    told = SimpleNamespace(turn=lambda _: contextlib.nullcontext()) if repeats else None
    monkeypatch.setattr(provider.script, "of_shard", lambda *_: told)
    own = provider.PipeproofKinesisProvider.__new__(provider.PipeproofKinesisProvider)
    own._throughput = ShardThroughput(enforced=False)
    keys = {"a": "0", "b": str(2**127)}
    records = [
        {"Data": data, "PartitionKey": "k", "ExplicitHashKey": keys[name]}
        for name, data in zip("abab", (b"1", b"2", b"3", b"4"), strict=True)
    ]
    put = provider.PipeproofKinesisProvider.put_records
    answer = getattr(put, "__wrapped__", put)(own, SimpleNamespace(), records, "s")
    assert [one["SequenceNumber"] for one in answer["Records"]] == ["a-1", "b-2", "a-3", "b-4"]
    assert (stored, answer["FailedRecordCount"]) == (order, 0)
