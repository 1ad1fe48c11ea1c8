"""A receive from a FIFO queue that is tried again with its ReceiveRequestAttemptId: the same messages, by the same receipt handles.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-receiverequestattemptid-request-parameter.html
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

_INTERVAL_S = 300
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Attempt:
    at_s: float
    result: Any
    """What was answered."""
    deadlines: dict[str, float]
    """By receipt handle: until when the message was hidden then. Another one, or none, means that it was changed or deleted."""


def answered_before(queue: Any, attempt_id: str) -> Any:
    """Returns what was answered to this attempt, and hides its messages anew; None where it is the first, or its messages were changed meanwhile."""
    with _lock, queue.mutex:
        attempt = _of(queue).get(attempt_id)
        if attempt is None:
            return None
        messages = [queue.receipts.get(handle) for handle in attempt.deadlines]
        now_s = time.time()
        if any(
            message is None or message not in queue.inflight or not now_s < message.visibility_deadline == deadline
            for message, deadline in zip(messages, attempt.deadlines.values(), strict=True)
        ):
            return None
        for message in messages:
            message.update_visibility_timeout(message.visibility_timeout)
        _of(queue)[attempt_id] = _Attempt(attempt.at_s, attempt.result, _deadlines(queue, attempt.result))
        return attempt.result


def remember(queue: Any, attempt_id: str, result: Any) -> None:
    """Keeps what is answered to an attempt, for the five minutes of the deduplication interval."""
    if not result.get("Messages"):
        return
    with _lock, queue.mutex:
        attempts, now_s = _of(queue), time.time()
        for old in [one for one, attempt in attempts.items() if attempt.at_s <= now_s - _INTERVAL_S]:
            del attempts[old]
        attempts[attempt_id] = _Attempt(now_s, result, _deadlines(queue, result))


def _of(queue: Any) -> dict[str, _Attempt]:
    attempts: dict[str, _Attempt] = vars(queue).setdefault("receive_attempts", {})
    return attempts


def _deadlines(queue: Any, result: Any) -> dict[str, float]:
    handles = [message["ReceiptHandle"] for message in result["Messages"]]
    return {handle: queue.receipts[handle].visibility_deadline for handle in handles if handle in queue.receipts}
