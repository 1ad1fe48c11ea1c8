"""SQS: messages in queues, and tasks that move them. A queue that an event source mapping reads is busy as long as it holds one."""

from __future__ import annotations

from harness.inside.gauges.gauge import Counted, Level, loaded
from harness.inside.kept import FUNCTIONS, QUEUES
from harness.inside.sqs.contents import contents, moves

MOVE_TASKS = Counted()
# One that is cancelled runs until it notices; one that has ended stays CANCELLING for ever if it is cancelled then.
_MOVING = {"CREATED", "RUNNING"}


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
    moved_before = moves()
    queues, busy = [], MOVE_TASKS.count(account) > 0
    for _, _, store in QUEUES.stores(account):
        busy |= any(task.status in _MOVING for task in list(store.move_tasks.values()))
        for queue in list(store.queues.values()):
            held = contents(queue)
            busy |= queue.arn in consumed and held.total > 0
            queues.append(
                {
                    "queue": queue.arn,
                    "visible": held.visible,
                    "in_flight": held.in_flight,
                    "delayed": held.delayed,
                    "consumed": queue.arn in consumed,
                }
            )
    # A message that was moved meanwhile can be in a queue that was looked at before, and no longer in the one that came after.
    return Level(busy or moves() != moved_before, entries={"queues": queues})
