"""What a queue holds, asked while a receive is between its steps: LocalStack's own queues, with a barrier at each step."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from localstack.services.sqs.models import FifoQueue, StandardQueue
from localstack.services.sqs.queue import InterruptiblePriorityQueue

from harness.inside.patches import sqs as patches
from harness.inside.sqs.contents import Contents, contents, counted, moves, received, settled, wait_for_one

POLICY = '{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1}'


class Step:
    """Where a receive stops until the test lets it go on."""

    def __init__(self):
        self.reached, self.go = threading.Event(), threading.Event()

    def __call__(self, *_):
        self.reached.set()
        assert self.go.wait(20), "the test has not let it go on"


def queue_of(kind, **attributes):
    name = "queue.fifo" if kind is FifoQueue else "queue"
    queue = kind(
        name, "us-east-1", "000000000000", attributes={"FifoQueue": "true", **attributes} if kind is FifoQueue else attributes
    )
    heap = queue.message_group_queue if kind is FifoQueue else queue.visible
    heap._get = counted(type(heap)._get).__get__(heap)
    queue.receive = received(kind.receive).__get__(queue)
    return queue


def put(queue, body):
    ids = {"message_group_id": "g", "message_deduplication_id": body} if isinstance(queue, FifoQueue) else {}
    queue.put({"MessageId": body, "Body": body, "Attributes": {}}, **ids)


@pytest.mark.parametrize("kind", [StandardQueue, FifoQueue])
def test_a_message_that_a_receive_has_taken_and_not_yet_hidden_counts(kind):
    queue, step = queue_of(kind), Step()
    put(queue, "one")
    assert contents(queue) == Contents(1, 0, 0)
    make_handle = queue.create_receipt_handle
    queue.create_receipt_handle = lambda message: (step(), make_handle(message))[1]
    # The handle is made under the mutex in a FIFO queue: who looks waits for it.
    with ThreadPoolExecutor(2) as pool:
        receive = pool.submit(queue.receive, 1, 0, 30)
        assert step.reached.wait(20)
        look = pool.submit(contents, queue)
        if kind is StandardQueue:
            assert look.result(20) == Contents(0, 1, 0)
        step.go.set()
        assert len(receive.result(20).successful) == 1
        assert look.result(20).total >= 1
    assert contents(queue) == Contents(0, 1, 0)


@pytest.mark.parametrize("kind", [StandardQueue, FifoQueue])
def test_a_receive_that_waits_for_more_counts_what_it_has(kind):
    queue = queue_of(kind)
    put(queue, "one")
    asked = threading.Event()
    heap = queue.message_group_queue if kind is FifoQueue else queue.visible
    wait = heap.not_empty.wait
    heap.not_empty.wait = lambda timeout=None: (asked.set(), wait(timeout))[1]
    with ThreadPoolExecutor(1) as pool:
        receive = pool.submit(queue.receive, 2, 20, 30, poll_empty_queue=True)
        assert asked.wait(20), "a receive that waits for a second message"
        assert contents(queue) == Contents(0, 1, 0)
        ids = {"message_group_id": "other", "message_deduplication_id": "two"} if kind is FifoQueue else {}
        queue.put({"MessageId": "two", "Body": "two", "Attributes": {}}, **ids)
        assert len(receive.result(20).successful) == 2
    assert contents(queue) == Contents(0, 2, 0)


@pytest.mark.parametrize("kind", [StandardQueue, FifoQueue])
def test_a_dead_letter_counts_until_it_is_in_its_queue(kind):
    queue = queue_of(kind, RedrivePolicy=POLICY)
    put(queue, "one")
    assert len(queue.receive(1, 0, 30).successful) == 1
    (handle,) = queue.receipts
    queue.update_visibility_timeout(handle, 0)
    before, seen = moves(), []

    def operation():
        assert len(queue.receive(1, 0, 30).dead_letter_messages) == 1
        seen.append(contents(queue))

    settled(operation)()
    assert seen == [Contents(0, 1, 0)]
    assert contents(queue) == Contents(0, 0, 0)
    assert moves() == before + 1


@pytest.mark.parametrize("kind", [StandardQueue, FifoQueue])
def test_a_message_ends_the_wait_for_one_and_is_not_taken(kind):
    queue = queue_of(kind)
    assert not wait_for_one(queue, 0.01)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(wait_for_one, queue, 20)
        put(queue, "one")
        assert waits.result(20)
    assert contents(queue) == Contents(1, 0, 0)
    assert wait_for_one(queue, 0)
    heap = queue.message_group_queue if kind is FifoQueue else queue.visible
    heap.shutdown()
    assert not wait_for_one(queue, 20), "what nobody can receive any more"


def test_who_waits_and_takes_nothing_does_not_keep_another_from_its_message():
    """One message wakes one of those who wait. All who wait alone have begun to before the receive."""
    queue = queue_of(StandardQueue)
    waiting = threading.Semaphore(0)
    wait = queue.visible.not_empty.wait
    queue.visible.not_empty.wait = lambda timeout=None: (waiting.release(), wait(timeout))[1]
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(wait_for_one, queue, 20) for _ in range(3)]
        for _ in others:
            assert waiting.acquire(timeout=20)
        receive = pool.submit(queue.receive, 1, 20, 30)
        assert waiting.acquire(timeout=20), "a receive that waits"
        put(queue, "one")
        assert len(receive.result(20).successful) == 1
        queue.shutdown()
        assert all(isinstance(other.result(20), bool) for other in others)


def test_a_message_that_is_put_wakes_who_waits_and_counts_as_unfinished():
    class Own(InterruptiblePriorityQueue):
        pass

    patches.visible_messages.apply(SimpleNamespace(InterruptiblePriorityQueue=Own))
    own, plain = Own(), InterruptiblePriorityQueue()
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(own.get, timeout=20)
        own.put_nowait(3)
        assert taken.result(20) == 3
    for queue in (own, plain):
        for number in (2, 1):
            queue.put_nowait(number)
    plain.unfinished_tasks += 1
    assert (own.get_nowait(), own.get_nowait(), own.unfinished_tasks) == (1, 2, plain.unfinished_tasks)


def test_what_is_visible_again_at_once_is_counted():
    queue = queue_of(StandardQueue)
    put(queue, "one")
    queue.receive(1, 0, 0)
    assert contents(queue) == Contents(1, 0, 0)
