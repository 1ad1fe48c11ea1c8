"""Actors without an emulator: they end, whatever the queue does meanwhile."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import EmulatorDiedError, UnknownVerdictError
from harness.parts.actors.redrive import Redrive
from harness.parts.ports import Actor, Deed
from harness.run.acting import Acting
from tests.loads import context
from tests.unit.parts.places import Places


@pytest.fixture(autouse=True, scope="module")
def at_once():
    """Waits of the backoff take no time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tenacity.nap.time.sleep", lambda _: None)
        yield


class Queue:
    """As much of SQS as a redrive needs: two queues, of which a message that was received is hidden until it is shown again, or until so many calls
    were made (`forgets_after`); each time it has a new receipt, and the old one deletes nothing. `back` are messages that come back once they have
    been moved, `refuses` the bodies that the other queue never takes, `fails` the numbers of the calls that end with an error."""

    def __init__(self, bodies, *, back=False, refuses=(), deletes=True, forgets_after=10_000, fails=()):
        self.there = {str(n): self.message(n, body, 0) for n, body in enumerate(bodies)}
        self.hidden, self.sent, self.sizes = {}, [], []
        self.back, self.refuses, self.deletes = back, refuses, deletes
        self.forgets_after, self.fails, self.calls = forgets_after, fails, 0

    @staticmethod
    def message(number, body, sent_at_ms):
        attributes = {"SentTimestamp": str(sent_at_ms), "ApproximateReceiveCount": "1", "AWSTraceHeader": f"Root={number}"}
        kept = {"raw": {"DataType": "Binary", "BinaryValue": b"\xff\x00"}}
        return {"MessageId": str(number), "Body": body, "Attributes": attributes, "MessageAttributes": kept}

    def call(self, operation):
        self.calls += 1
        for receipt, (message, since) in list(self.hidden.items()):
            if self.calls - since > self.forgets_after:
                del self.hidden[receipt]
                self.there[message["MessageId"]] = message
        if self.calls in self.fails:
            raise ClientError({"Error": {"Code": "ServiceUnavailable"}, "ResponseMetadata": {}}, operation)

    def get_queue_attributes(self, **_):
        self.call("GetQueueAttributes")
        return {
            "Attributes": {
                "ApproximateNumberOfMessages": len(self.there),
                "ApproximateNumberOfMessagesNotVisible": len(self.hidden),
            }
        }

    def receive_message(self, MaxNumberOfMessages, **_):  # noqa: N803 - as boto3 has it
        self.call("ReceiveMessage")
        received = []
        for name in list(self.there)[:MaxNumberOfMessages]:
            receipt, message = f"{name} of {self.calls}", self.there.pop(name)
            self.hidden[receipt] = message, self.calls
            received.append({**message, "ReceiptHandle": receipt})
        return {"Messages": received, "ResponseMetadata": {"HTTPHeaders": {"date": "Sat, 31 Jan 2026 12:00:00 GMT"}}}

    def send_message_batch(self, Entries, **_):  # noqa: N803
        self.call("SendMessageBatch")
        self.sizes.append((len(Entries), sum(len(entry["MessageBody"].encode()) for entry in Entries)))
        taken = [entry for entry in Entries if entry["MessageBody"] not in self.refuses]
        assert all(entry["MessageAttributes"]["raw"]["BinaryValue"] == b"\xff\x00" for entry in Entries)
        assert all(entry["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"].startswith("Root=") for entry in Entries)
        self.sent += [entry["MessageBody"] for entry in taken]
        if self.back:
            later = 4_000_000_000_000
            fresh = [f"again-{len(self.sent)}-{place}" for place in range(len(taken))]
            self.there |= {name: self.message(name, entry["MessageBody"], later) for name, entry in zip(fresh, taken, strict=True)}
        return {
            "Successful": [{"Id": entry["Id"]} for entry in taken],
            "Failed": [{"Id": entry["Id"], "Code": "Refused"} for entry in Entries if entry not in taken],
        }

    def delete_message_batch(self, Entries, **_):  # noqa: N803
        self.call("DeleteMessageBatch")
        if not self.deletes:
            return {}
        for entry in Entries:
            self.hidden.pop(entry["ReceiptHandle"], None)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def change_message_visibility_batch(self, Entries, VisibilityTimeout=0, **_):  # noqa: N803
        self.call("ChangeMessageVisibilityBatch")
        for entry in Entries:
            if entry["ReceiptHandle"] in self.hidden and entry["VisibilityTimeout"] == 0:
                message, _since = self.hidden.pop(entry["ReceiptHandle"])
                self.there[message["MessageId"]] = message


def redriven(queue, **keys):
    return list(Redrive(queue_url="from", to_queue_url="to", **keys).open(context(Places(sqs=queue))))


def test_a_redrive_moves_what_was_there_and_ends_though_poison_comes_back():
    queue = Queue(["x"] * 25, back=True)
    assert len(redriven(queue)) == 3
    assert len(queue.sent) == 25
    assert (len(queue.there), queue.hidden) == (25, {})


def test_a_redrive_moves_the_letters_of_an_error_and_shows_the_others_again():
    queue = Queue([json.dumps({"errorName": name}) for name in "abcabc"])
    redriven(queue, errors=["b", "c"])
    assert sorted(json.loads(body)["errorName"] for body in queue.sent) == ["b", "b", "c", "c"]
    assert [json.loads(message["Body"])["errorName"] for message in queue.there.values()] == ["a", "a"]
    assert queue.hidden == {}


@settings(deadline=None)
@given(st.lists(st.integers(1, 200_000), max_size=30), st.integers(0, 2))
def test_whatever_the_letters_are_each_is_in_exactly_one_queue_and_every_batch_is_one_that_sqs_takes(sizes, refused):
    bodies = [f"{place:02d}" + "x" * size for place, size in enumerate(sizes)]
    queue = Queue(bodies, refuses=bodies[:refused])
    with suppress(UnknownVerdictError):
        redriven(queue)
    left = [message["Body"] for message in queue.there.values()]
    assert sorted([*queue.sent, *left]) == sorted(bodies)
    assert set(bodies[:refused]) <= set(left)
    assert queue.hidden == {}
    assert all(count <= 10 and size <= 262_144 for count, size in queue.sizes)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.sets(st.integers(1, 20), max_size=4), st.integers(0, 3))
def test_no_letter_is_lost_though_its_hiding_ends_and_calls_fail(count, forgets_after, fails, refused):
    bodies = [f"{place:02d}" for place in range(count)]
    queue = Queue(bodies, forgets_after=forgets_after, fails=fails, refuses=bodies[:refused])
    with suppress(UnknownVerdictError, ClientError):
        redriven(queue)
    left = [message["Body"] for message in (*queue.there.values(), *(hidden for hidden, _ in queue.hidden.values()))]
    assert {*queue.sent, *left} == set(bodies)
    if not fails:
        assert len(queue.sent) == len(set(queue.sent))


def test_a_letter_that_is_refused_is_told():
    with pytest.raises(UnknownVerdictError, match="1 messages were refused by to: Refused"):
        redriven(Queue(["a", "b"], refuses=["b"]))


def test_a_letter_that_was_sent_and_could_not_be_deleted_is_there_for_the_next_redrive():
    queue = Queue(["a", "b"], deletes=False)
    with pytest.raises(UnknownVerdictError, match="2 messages are in both queues"):
        redriven(queue)
    assert (sorted(queue.sent), len(queue.there)) == (["a", "b"], 2)


class Endless(Actor):
    step: str | None = None

    def open(self, context):
        while True:
            yield self.step


def nothing():
    pass


def test_an_actor_that_has_nothing_to_do_at_rest_is_done_and_one_that_never_ends_is_stopped():
    assert list(Acting([Endless()], context()).at_rest(nothing, 5)) == []
    with pytest.raises(UnknownVerdictError, match="actor Endless was not done within 0 s"):
        list(Acting([Endless(step="again")], context()).at_rest(nothing, 0))


def test_an_actor_does_not_outlive_the_emulator():
    def gone():
        raise EmulatorDiedError("gone")

    with pytest.raises(EmulatorDiedError):
        list(Acting([Endless(step="again")], context()).at_rest(gone, 60))


class Planned(Actor):
    """Yields the deeds that it is given: (entry, refused)."""

    deeds: tuple[tuple[str, bool], ...] = ()

    def entries(self):
        return ("a", "b", "c")

    def open(self, _context):
        yield from (Deed(f"tried {entry}", entry, refused) for entry, refused in self.deeds)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), min_size=1))
def test_an_entry_without_a_deed_or_with_refused_ones_alone_is_a_doubt_and_one_deed_that_was_taken_is_enough(deeds):
    acting = Acting([Planned(deeds=tuple(deeds))], context())
    list(acting.at_rest(lambda: None, 10))
    doubtful = set("abc") - {entry for entry, refused in deeds if not refused}
    assert {doubt.split(", ")[1].split(":")[0] for doubt in acting.doubts()} == doubtful
