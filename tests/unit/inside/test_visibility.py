"""The visibility of messages whose batch waits for an environment, on LocalStack's own queues."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localstack.services.sqs.models import FifoQueue, StandardQueue

from harness.inside.sqs import visibility

VISIBLE_S = 10
TIMES = st.floats(0, 1000, allow_nan=False)


class Clock:
    now = 1_000_000.0

    def time(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(visibility, "time", clock)
    return clock


def received(kind):
    """A queue, a message of it that was received at the clock's beginning, and the message as SQS tells of it."""
    queue = kind("input" if kind is StandardQueue else "input.fifo", "us-east-1", "1", {"VisibilityTimeout": str(VISIBLE_S)})
    group = {} if kind is StandardQueue else {"message_group_id": "g", "message_deduplication_id": "d"}
    queue.put({"MessageId": "m", "Body": "b"}, **group)
    result = queue.receive(num_messages=1)
    message = result.successful[0]
    message.set_last_received(Clock.now)
    assert message.visibility_deadline == Clock.now + VISIBLE_S
    return queue, message, {"ReceiptHandle": result.receipt_handles[0]}


@pytest.mark.parametrize("kind", [StandardQueue, FifoQueue])
@given(window_s=TIMES, waited_s=TIMES)
def test_only_the_wait_for_an_environment_does_not_count(kind, window_s, waited_s):
    with pytest.MonkeyPatch.context() as patched:
        clock = Clock()
        patched.setattr(visibility, "time", clock)
        queue, message, told = received(kind)
        clock.now += window_s
        with visibility.held(queue, [told]) as batch:
            batch.wait()
            clock.now += waited_s
            visibility.begin(json.dumps({"Records": [{"messageId": "m", "receiptHandle": told["ReceiptHandle"]}]}).encode())
            assert message.visibility_deadline == pytest.approx(Clock.now + VISIBLE_S + waited_s)
            clock.now += 1
        assert message.visibility_deadline == pytest.approx(Clock.now + VISIBLE_S + waited_s), "begins once"


def test_what_no_function_gets_comes_back_when_its_own_time_is_over(clock):
    queue, message, told = received(StandardQueue)
    with visibility.held(queue, [told]):
        clock.now += 100
    assert message.visibility_deadline == Clock.now + VISIBLE_S


def test_an_event_of_another_batch_begins_nothing(clock):
    queue, message, told = received(StandardQueue)
    with visibility.held(queue, [told]):
        for event in (b"", b"{}", b'{"Records": [{"receiptHandle": "another"}]}'):
            visibility.begin(event)
        assert message.visibility_deadline == math.inf


def test_what_was_deleted_meanwhile_is_no_error(clock):
    queue, _, told = received(StandardQueue)
    with visibility.held(queue, [told]):
        queue.remove(told["ReceiptHandle"])
    with visibility.held(queue, [told]):
        pass
    assert not queue.inflight
