"""What a queue holds, with the messages that are on their way.

LocalStack takes a message from those that are visible, and a moment later adds it to those in flight or puts it into the dead-letter queue. In
between it is in neither. Who asks at that moment would take the queue for empty.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_thread = threading.local()
_lock = threading.Lock()
_moves = 0


@dataclass(frozen=True, slots=True)
class Contents:
    """How many messages of a queue are visible, in flight and delayed. One that is on its way counts as in flight (in a FIFO queue: its group)."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.in_flight + self.delayed


def contents(queue: Any) -> Contents:
    """Returns what a queue of LocalStack's holds at one moment."""
    heap = _heap(queue)
    with queue.mutex, heap.mutex:
        groups = getattr(queue, "message_groups", None)
        visible = len(heap.queue) if groups is None else sum(len(group.messages) for group in groups.values())
        return Contents(visible, _taken(heap).total() + len(queue.inflight), len(queue.delayed))


def wait_for_one(queue: Any, timeout_s: float) -> bool:
    """Waits until there is something to receive, and takes nothing. Returns whether there is."""
    heap = _heap(queue)
    with heap.not_empty:
        heap.not_empty.wait_for(lambda: heap._qsize() or heap.is_shutdown, timeout_s)  # noqa: SLF001
        there_is = bool(heap._qsize()) and not heap.is_shutdown  # noqa: SLF001
        if there_is:
            # One message wakes one of those who wait, who may be another that would receive it.
            heap.not_empty.notify()
    return there_is


def moves() -> int:
    """Returns how many receives have put messages into dead-letter queues. Two equal counts frame a time in which none did."""
    return _moves


def counted(get: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns the `_get` of a class of queues that counts what it takes. It runs with the mutex held."""

    @functools.wraps(get)
    def take(heap: Any) -> Any:
        item = get(heap)
        _taken(heap)[threading.get_ident()] += 1
        return item

    return take


def received(receive: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the `receive` of a queue after which its messages are in flight. Those for the dead-letter queue are on their way until `settled`."""

    @functools.wraps(receive)
    def take(queue: Any, *args: Any, **kwargs: Any) -> Any:
        result = None
        try:
            result = receive(queue, *args, **kwargs)
        finally:
            if result is not None and result.dead_letter_messages:
                _thread.moves_from = queue
            else:
                _arrived(queue)
        return result

    return take


def settled(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an operation after which the dead letters that its thread has received are where they belong."""

    @functools.wraps(operation)
    def perform(*args: Any, **kwargs: Any) -> Any:
        global _moves  # noqa: PLW0603
        try:
            return operation(*args, **kwargs)
        finally:
            queue, _thread.moves_from = getattr(_thread, "moves_from", None), None
            if queue is not None:
                with _lock:
                    _moves += 1
                _arrived(queue)

    return perform


def _arrived(queue: Any) -> None:
    """Forgets what this thread has taken. Nobody looks meanwhile: `contents` needs the same locks."""
    heap = _heap(queue)
    with queue.mutex, heap.mutex:
        _taken(heap).pop(threading.get_ident(), None)


def _heap(queue: Any) -> Any:
    """Returns what a receive takes from: messages, or in a FIFO queue groups."""
    return queue.message_group_queue if hasattr(queue, "message_group_queue") else queue.visible


def _taken(heap: Any) -> Counter[int]:
    """Returns how much each thread has taken that has not arrived."""
    taken: Counter[int] = vars(heap).setdefault("taken", Counter())
    return taken
