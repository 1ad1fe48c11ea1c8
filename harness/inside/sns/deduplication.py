"""Deduplication of FIFO topics: a message that is published again within five minutes is accepted, and not delivered.

LocalStack leaves it to the queues, so that a standard queue gets both. Source: https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html
"""

from __future__ import annotations

import functools
import hashlib
import threading
import time
from typing import Any

_INTERVAL_S = 300
_lock = threading.Lock()


def is_new(store: Any, topic_arn: str, message: Any) -> bool:
    """Returns whether a message of LocalStack's is the first of its deduplication id (or content) in a FIFO topic; in any other topic each one is.
    `store` is SNS's, which keeps what was published."""
    if not topic_arn.endswith(".fifo"):
        return True
    content = str(message.message).encode()
    key = message.message_deduplication_id or hashlib.sha256(content).hexdigest()
    now_s = time.monotonic()
    with _lock:
        published = vars(store).setdefault("pipeproof_published", {}).setdefault(topic_arn, {})
        for old in [one for one, at_s in published.items() if now_s - at_s >= _INTERVAL_S]:
            del published[old]
        is_first = key not in published
        published.setdefault(key, now_s)
        return is_first


def published_once(publish: Any) -> Any:
    """Returns PublishDispatcher.publish_to_topic without the messages that are there already."""

    @functools.wraps(publish)
    def once(self: Any, ctx: Any, topic_arn: str) -> Any:
        return publish(self, ctx, topic_arn) if is_new(ctx.store, topic_arn, ctx.message) else None

    return once


def batch_published_once(publish: Any) -> Any:
    """Returns PublishDispatcher.publish_batch_to_topic without the messages that are there already."""

    @functools.wraps(publish)
    def once(self: Any, ctx: Any, topic_arn: str) -> Any:
        ctx.messages = [message for message in ctx.messages if is_new(ctx.store, topic_arn, message)]
        return publish(self, ctx, topic_arn) if ctx.messages else None

    return once
