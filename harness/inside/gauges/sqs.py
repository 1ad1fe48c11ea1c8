"""SQS: messages in queues. A queue that an event source mapping reads is busy as long as it holds one."""

from __future__ import annotations

from typing import Any

from harness.inside.gauges.gauge import Level, loaded
from harness.inside.kept import FUNCTIONS, QUEUES


def gauge(account: str | None) -> Level:
    """Returns {queues: [{queue, visible, in_flight, delayed, consumed}]}; `consumed` where an event source mapping reads the queue."""
    consumed = {
        mapping.get("EventSourceArn")
        for _, _, store in FUNCTIONS.stores(account)
        for mapping in list(store.event_source_mappings.values())
    }
    pipes = loaded("harness.inside.events.pipes")
    if pipes is not None:
        consumed |= pipes.sources(account)
    queues = [
        {
            "queue": queue.arn,
            "visible": visible(queue),
            "in_flight": len(queue.inflight),
            "delayed": len(queue.delayed),
            "consumed": queue.arn in consumed,
        }
        for _, _, store in QUEUES.stores(account)
        for queue in list(store.queues.values())
    ]
    busy = any(queue["consumed"] and queue["visible"] + queue["in_flight"] + queue["delayed"] for queue in queues)
    return Level(busy, entries={"queues": queues})


def visible(queue: Any) -> int:
    """Returns how many messages can be received. The property was renamed between the two LocalStacks that are supported."""
    name = "approximate_number_of_messages" if hasattr(queue, "approximate_number_of_messages") else "approx_number_of_messages"
    return int(getattr(queue, name))
