"""Retries and envelopes of the pipelines: what is not written is said, what is written is not written twice."""

from __future__ import annotations

import base64
import json
from functools import partial

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery import reads, retry
from pipeline.delivery.conditional import put_new
from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue
from pipeline.delivery.retry import until_done


@given(st.lists(st.integers(), unique=True, max_size=20), st.lists(st.sets(st.integers(0, 19)), max_size=8))
def test_every_item_is_written_once_or_returned(items, refusals):
    written, plan = [], iter(refusals)

    def write(todo):
        refused = {todo[i] for i in next(plan, set()) if i < len(todo)}
        written.extend(item for item in todo if item not in refused)
        return [item for item in todo if item in refused]

    left = until_done(items, write, sleep=lambda _: None)
    assert sorted(written + left) == sorted(items)


def test_what_is_refused_in_part_is_written_again_with_growing_delays():
    delays = []
    assert until_done([1, 2], lambda todo: todo, attempts=4, sleep=delays.append) == [1, 2]
    assert delays == [0.05, 0.1, 0.2]


def test_an_exception_means_that_nothing_was_written_and_is_not_waited_for(capsys):
    calls = []

    def write(todo):
        calls.append(todo)
        raise OSError("down")

    assert until_done([1, 2], write, attempts=4) == [1, 2]
    assert calls == [[1, 2]], "the SDK has retried; the function's time is for another place"
    assert "down" in capsys.readouterr().out


class Queue:
    """SendMessageBatch with its limits, refusing what it is told to."""

    def __init__(self, refuse=0):
        self.bodies, self.refuse = [], refuse

    def send_message_batch(self, QueueUrl, Entries):  # noqa: N803
        assert len(Entries) <= 10
        assert sum(len(e["MessageBody"].encode()) for e in Entries) <= 262_144
        refused, self.refuse = Entries[: self.refuse], 0
        taken = Entries[len(refused) :]
        self.bodies += [json.loads(e["MessageBody"]) for e in taken]
        return {"Successful": [{"Id": e["Id"]} for e in taken], "Failed": [{"Id": e["Id"], "Code": "x"} for e in refused]}


class Bucket:
    def __init__(self):
        self.objects = {}

    def put_object(self, Bucket, Key, Body):  # noqa: N803
        self.objects[f"s3://{Bucket}/{Key}"] = Body


def letter(payload, number=0):
    return DeadLetter(payload, None, "Bad", "why", "stack", 1, "shard", str(number), "key")


@pytest.mark.parametrize("refuse", [0, 1, 10])
def test_dead_letters_keep_the_payload_byte_for_byte_and_refused_ones_are_sent_again(refuse):
    sqs, s3 = Queue(refuse), Bucket()
    payloads = [bytes([n]) * n for n in range(30)] + [b"\xff" * 100_000, b"\x00" * 500_000]
    queue = DeadLetterQueue(sqs, s3, "url", "bucket", "function")
    assert queue.send([letter(p, n) for n, p in enumerate(payloads)], failed_at="now", request_id="r") == []
    bodies = sorted(sqs.bodies, key=lambda b: int(b["sequenceNumber"]))
    found = [s3.objects[b["payloadLocation"]] if b["payloadLocation"] else base64.b64decode(b["payload"]) for b in bodies]
    assert found == payloads
    assert {b["errorName"] for b in bodies} == {"Bad"}


def test_a_queue_that_refuses_for_good_gives_the_letters_back():
    class Closed(Queue):
        def send_message_batch(self, QueueUrl, Entries):  # noqa: N803
            return {"Failed": [{"Id": e["Id"]} for e in Entries]}

    letters = [letter(b"x", n) for n in range(3)]
    queue = DeadLetterQueue(Closed(), Bucket(), "url", "bucket", "function")
    assert queue.send(letters, failed_at="now", request_id="r") == letters


def test_a_queue_that_is_down_is_asked_once_and_gives_all_letters_back():
    class Down(Queue):
        calls = 0

        def send_message_batch(self, QueueUrl, Entries):  # noqa: N803
            self.calls += 1
            raise OSError("down")

    sqs = Down()
    letters = [letter(b"x", n) for n in range(35)]
    queue = DeadLetterQueue(sqs, Bucket(), "url", "bucket", "function")
    assert queue.send(letters, failed_at="now", request_id="r") == letters
    assert sqs.calls == 1


def test_one_item_that_the_table_refuses_for_good_does_not_keep_the_others_from_being_written():
    written = []

    class Table:
        def put_item(self, Item, **_):  # noqa: N803 - as boto3 has it
            if Item == {"id": 3}:
                raise ClientError({"Error": {"Code": "ValidationException", "Message": "too large"}}, "PutItem")
            written.append(Item["id"])

    with pytest.raises(ClientError, match="ValidationException"):
        put_new(Table(), "t", [{"id": number} for number in range(50)], own=("id",))
    assert sorted(written) == [number for number in range(50) if number != 3]


class PartialTable:
    """Answers for one key in three at a time, or, once it is closed, for none."""

    def __init__(self, *, closed=False):
        self.closed, self.asked, self.consistent = closed, [], []

    def batch_get_item(self, RequestItems):  # noqa: N803 - as boto3 has it
        keys = RequestItems["t"]["Keys"]
        self.asked.append(len(keys))
        self.consistent.append(RequestItems["t"]["ConsistentRead"])
        done = [] if self.closed else keys[: max(1, len(keys) // 3)]
        left = keys[len(done) :]
        return {"Responses": {"t": [{**key, "x": 1} for key in done]}, "UnprocessedKeys": {"t": {"Keys": left}} if left else {}}


@pytest.mark.parametrize("consistent", [True, False])
def test_keys_that_were_not_read_are_asked_for_again_a_hundred_at_a_time(monkeypatch, consistent):
    table = PartialTable()
    monkeypatch.setattr(reads, "until_done", partial(retry.until_done, attempts=50, sleep=lambda _: None))
    found = reads.read_items(table, "t", [{"id": number} for number in range(250)], consistent=consistent)
    assert sorted(item["id"] for item in found) == list(range(250))
    assert max(table.asked) == 100
    assert set(table.consistent) == {consistent}


def test_of_keys_that_are_never_read_nobody_says_that_they_are_not_there(monkeypatch):
    monkeypatch.setattr(reads, "until_done", partial(retry.until_done, sleep=lambda _: None))
    with pytest.raises(reads.ItemsUnreadError, match="7 items of t"):
        reads.read_items(PartialTable(closed=True), "t", [{"id": number} for number in range(7)], consistent=True)


def test_the_object_of_a_large_dead_letter_has_a_key_that_s3_takes_however_long_its_upload_is_named():
    put = {}

    class Bucket:
        def put_object(self, Bucket, Key, Body):  # noqa: N803 - as boto3 has it
            put[Key] = Body

    queue = DeadLetterQueue(None, Bucket(), "", "bucket", "function")
    for shard in ("%E6%97%A5" * 330 + "@v1", "%E6%97%A5" * 330 + "@v2", "short@v"):
        letter = DeadLetter(b"x" * 200_000, None, "E", "", "", 1, shard, "7", None)
        assert queue.put_large(letter) is not None
    assert len(put) == 3
    assert all(len(key) <= 1024 for key in put)
