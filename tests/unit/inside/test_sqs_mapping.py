"""When a mapping on a queue looks up: LocalStack's worker can end it between two calls alone."""

from __future__ import annotations

import itertools
import threading

import pytest

from harness.inside.sqs.mapping import SqsMapping


class Trickle(SqsMapping):
    """A mapping whose receives have these batches, and whose waits always end with a message."""

    limit = 5

    def __init__(self, batches, comes=True):  # noqa: FBT002
        self._closed, self._changed = threading.Event(), threading.Condition()
        self._busy_since, self.running = None, 0
        self._batches, self._wakes, self.handled = batches, comes, threading.Semaphore(0)

    def _receive(self):
        return next(self._batches)

    def _comes(self):
        return self._wakes

    def _handle(self, messages):
        self.handled.release()
        with self._changed:
            self.running -= 1
            self._changed.notify_all()


ONE = [{"MessageId": "1", "Body": "a"}]


def test_it_returns_though_a_message_comes_again_and_again():
    mapping = Trickle(itertools.cycle([[], ONE]))
    mapping.poll_events()
    assert mapping.handled.acquire(timeout=10)
    assert next(mapping._batches) == []


@pytest.mark.parametrize("comes", [True, False])
def test_an_empty_queue_is_left_after_one_wait(comes):
    mapping = Trickle(itertools.chain([ONE, ONE, [], []]), comes)
    mapping.poll_events()
    assert all(mapping.handled.acquire(timeout=10) for _ in range(2))
    assert mapping._busy_since is None
    assert len(list(mapping._batches)) == (0 if comes else 1)
