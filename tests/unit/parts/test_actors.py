"""Actors without an emulator: they end, whatever the queue does meanwhile."""

from __future__ import annotations

import pytest

from harness.errors import EmulatorDiedError, UnknownVerdictError
from harness.parts.actors.redrive import Redrive
from harness.parts.ports import Actor
from harness.run.acting import Acting
from tests.loads import context
from tests.unit.parts.places import Places


class Poison:
    """A dead-letter queue to which every message that is moved comes back at once."""

    def __init__(self, many):
        self.messages = [{"MessageId": str(n), "Body": "x", "ReceiptHandle": str(n)} for n in range(many)]
        self.sent = 0

    def get_queue_attributes(self, **_):
        return {"Attributes": {"ApproximateNumberOfMessages": str(len(self.messages))}}

    def receive_message(self, MaxNumberOfMessages, **_):  # noqa: N803 - as boto3 has it
        return {"Messages": self.messages[:MaxNumberOfMessages]}

    def send_message_batch(self, Entries, **_):  # noqa: N803
        self.sent += len(Entries)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def delete_message(self, **_):
        pass


def test_a_redrive_moves_what_was_there_and_ends_though_poison_comes_back():
    queue = Poison(25)
    steps = list(Redrive(queue_url="from", to_queue_url="to").open(context(Places(sqs=queue))))
    assert (len(steps), queue.sent) == (3, 25)


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
