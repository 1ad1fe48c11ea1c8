"""Patches of SQS."""

from __future__ import annotations

import functools
import time
from typing import Any

from harness.inside.patches.declare import NAME, patch

_MOST_ATTRIBUTES = 10


@patch(
    "localstack.services.sqs.provider",
    {"CloudwatchDispatcher.dispatch_sqs_metric": ("self", "account_id", "region", "queue_name", "metric", "value", "unit")},
)
def message_metrics(module: Any) -> None:
    """LocalStack makes two requests to CloudWatch for every message that is sent, one after the other."""
    from harness.inside.metrics import Metric, count  # noqa: PLC0415

    def dispatch(
        self: Any, account_id: str, region: str, queue_name: str, metric: str, value: float = 1, unit: str = "Count"
    ) -> None:
        if self.running:
            count(Metric(account_id, region, "AWS/SQS", ("QueueName", queue_name), metric, unit), value)

    module.CloudwatchDispatcher.dispatch_sqs_metric = dispatch


@patch(
    "localstack.services.sqs.provider",
    {"CloudwatchPublishWorker.publish_approximate_cloudwatch_metrics": ("self",), "sqs_stores": NAME},
)
def waiting_metrics(module: Any) -> None:
    """LocalStack does not report the age of the oldest message, and reports queues by a request that counts as the pipeline's."""
    from harness.inside.metrics import put  # noqa: PLC0415

    def publish(_self: Any) -> None:
        for account, region, store in module.sqs_stores.iter_stores():
            data = [one for queue in list(store.queues.values()) for one in _waiting(queue)]
            for start in range(0, len(data), 1000):
                put(account, region, "AWS/SQS", data[start : start + 1000])

    module.CloudwatchPublishWorker.publish_approximate_cloudwatch_metrics = publish


def _waiting(queue: Any) -> list[dict[str, Any]]:
    """Returns the metric data of what waits in a queue."""
    from harness.inside.sqs.contents import contents  # noqa: PLC0415

    held = contents(queue)
    oldest = min((message.created for message in list(queue.visible.queue)), default=None) if hasattr(queue, "visible") else None
    values = {
        "ApproximateNumberOfMessagesVisible": (held.visible, "Count"),
        "ApproximateNumberOfMessagesNotVisible": (held.in_flight, "Count"),
        "ApproximateNumberOfMessagesDelayed": (held.delayed, "Count"),
        "ApproximateAgeOfOldestMessage": (0 if oldest is None else max(0, round(time.time() - oldest)), "Seconds"),
    }
    dimensions = [{"Name": "QueueName", "Value": queue.name}]
    return [{"MetricName": name, "Dimensions": dimensions, "Value": value, "Unit": unit} for name, (value, unit) in values.items()]


@patch("localstack.services.sqs.models", {"FifoQueue.put": ("self", "message"), "StandardQueue.put": ("self", "message")})
def dead_letters(module: Any) -> None:
    """LocalStack takes the deduplication id of a message along into its dead-letter queue and back: a second message with that id, and the one
    that is redriven, are taken for duplicates and are gone. AWS uses the message's id in the dead-letter queue, and a redriven message is new:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html"""
    from harness.inside.sqs.dead_letters import moved  # noqa: PLC0415

    for queue in (module.FifoQueue, module.StandardQueue):
        queue.put = moved(queue.put, is_fifo=queue is module.FifoQueue)


@patch(
    "localstack.services.sqs.models",
    {"FifoQueue._put_message": ("self", "message"), "FifoQueue.update_message_group_visibility": ("self", "message_group")},
)
def message_groups(module: Any) -> None:
    """In LocalStack a message that is visible again makes its group visible while others of the group are in flight: their order is lost."""
    put = module.FifoQueue._put_message  # noqa: SLF001

    def put_message(self: Any, message: Any) -> None:
        group = self.get_message_group(message.message_group_id)
        with self.mutex:
            if group not in self.inflight_groups:
                put(self, message)
                return
            group.push(message)
            if message.receive_count:
                self.update_message_group_visibility(group)

    module.FifoQueue._put_message = put_message  # noqa: SLF001


@patch("localstack.services.sqs.provider", {"MessageMoveTaskManager._run": ("self", "move_task")})
def move_tasks(module: Any) -> None:
    """A message that a move task puts is a new one (see dead_letters). A task that runs is no rest."""
    from harness.inside.gauges.sqs import MOVE_TASKS  # noqa: PLC0415
    from harness.inside.sqs.contents import settled  # noqa: PLC0415
    from harness.inside.sqs.dead_letters import moving  # noqa: PLC0415

    # It receives without the provider.
    run = settled(module.MessageMoveTaskManager._run)  # noqa: SLF001

    def moves(self: Any, move_task: Any) -> None:
        with moving(), MOVE_TASKS.one(move_task.source_arn.split(":")[4]):
            run(self, move_task)

    module.MessageMoveTaskManager._run = moves  # noqa: SLF001


@patch(
    "localstack.services.sqs.provider",
    {
        "SqsProvider.create_queue": ("self", "context", "queue_name", "attributes"),
        "SqsProvider.set_queue_attributes": ("self", "context", "queue_url", "attributes"),
    },
)
def redrive_policies(module: Any) -> None:
    """LocalStack takes any dead-letter queue, one that is not there too: what would go there is gone."""
    create, set_attributes = module.SqsProvider.create_queue, module.SqsProvider.set_queue_attributes

    @functools.wraps(create)
    def created(self: Any, context: Any, queue_name: str, attributes: Any = None, *args: Any, **kwargs: Any) -> Any:
        from harness.inside.sqs.redrive_policies import verify  # noqa: PLC0415

        verify(context.account_id, context.region, queue_name, attributes)
        return create(self, context, queue_name, attributes, *args, **kwargs)

    @functools.wraps(set_attributes)
    def changed(self: Any, context: Any, queue_url: str, attributes: Any, **kwargs: Any) -> Any:
        from harness.inside.sqs.redrive_policies import verify  # noqa: PLC0415

        verify(context.account_id, context.region, queue_url.rpartition("/")[2], attributes)
        return set_attributes(self, context, queue_url, attributes, **kwargs)

    module.SqsProvider.create_queue, module.SqsProvider.set_queue_attributes = created, changed


@patch("localstack.services.sqs.models", {"FifoQueue.put": ("self", "message")})
def deduplication(module: Any) -> None:
    """LocalStack remembers the last message of a deduplication id alone, so that with DeduplicationScope messageGroup another group's makes it forget."""
    put = module.FifoQueue.put

    @functools.wraps(put)
    def of_group(self: Any, message: Any, *args: Any, **kwargs: Any) -> Any:
        if self.deduplication_scope != "messageGroup":
            return put(self, message, *args, **kwargs)
        with self.mutex:
            whole, groups = self.deduplication, vars(self).setdefault("deduplication_of_groups", {})
            self.deduplication = groups.setdefault(kwargs.get("message_group_id"), {})
            try:
                return put(self, message, *args, **kwargs)
            finally:
                self.deduplication = whole

    module.FifoQueue.put = of_group


@patch("localstack.services.sqs.provider", {"SqsProvider.receive_message": ("self", "context", "queue_url"), "FifoQueue": NAME})
def attempts(module: Any) -> None:
    """LocalStack does not look at ReceiveRequestAttemptId: after a lost answer, the group of its messages waits for their visibility timeout."""
    receive = module.SqsProvider.receive_message

    @functools.wraps(receive)
    def tried(
        self: Any, context: Any, queue_url: str, *args: Any, receive_request_attempt_id: str | None = None, **kwargs: Any
    ) -> Any:
        from harness.inside.sqs.attempts import answered_before, remember  # noqa: PLC0415

        queue = self._resolve_queue(context, queue_url=queue_url) if receive_request_attempt_id else None
        if receive_request_attempt_id is None or not isinstance(queue, module.FifoQueue):
            return receive(self, context, queue_url, *args, **kwargs)
        result = answered_before(queue, receive_request_attempt_id)
        if result is None:
            result = receive(self, context, queue_url, *args, **kwargs)
            remember(queue, receive_request_attempt_id, result)
        return result

    module.SqsProvider.receive_message = tried


@patch(
    "localstack.services.sqs.provider",
    {
        "check_message_max_size": ("message_body", "message_attributes", "max_message_size"),
        "SqsProvider._put_message": ("self", "queue", "context", "message_body", "delay_seconds"),
    },
)
def messages(module: Any) -> None:
    """LocalStack takes any number of attributes, and any delay."""
    check = module.check_message_max_size

    put = module.SqsProvider._put_message  # noqa: SLF001

    def put_message(
        self: Any, queue: Any, context: Any, message_body: Any, delay_seconds: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        from harness.inside.refusals.sqs import delay_refusal  # noqa: PLC0415

        if (why := delay_refusal(delay_seconds)) is not None:
            raise module.InvalidParameterValueException(why)
        return put(self, queue, context, message_body, delay_seconds, *args, **kwargs)

    def checked(message_body: str, message_attributes: Any, max_message_size: int) -> None:
        if len(message_attributes or ()) > _MOST_ATTRIBUTES:
            message = f"Number of message attributes [{len(message_attributes)}] exceeds the allowed maximum [{_MOST_ATTRIBUTES}]."
            raise module.InvalidParameterValueException(message)
        check(message_body, message_attributes, max_message_size)

    module.check_message_max_size = checked
    module.SqsProvider._put_message = put_message  # noqa: SLF001


@patch("localstack.services.sqs.models", {"SqsQueue.update_visibility_timeout": ("self", "receipt_handle", "visibility_timeout")})
def visibility(module: Any) -> None:
    """LocalStack takes any time, and says yes for a message that is visible already."""
    update = module.SqsQueue.update_visibility_timeout

    @functools.wraps(update)
    def updated(self: Any, receipt_handle: str, visibility_timeout: int) -> None:
        from localstack.aws.api.sqs import MessageNotInflight  # noqa: PLC0415

        from harness.inside.refusals.sqs import visibility_refusal  # noqa: PLC0415

        if (why := visibility_refusal(visibility_timeout)) is not None:
            raise module.InvalidParameterValueException(why)
        with self.mutex:
            message = self.receipts.get(receipt_handle)
            if message is not None and message not in self.inflight:
                raise MessageNotInflight(
                    f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: Message is not in flight."
                )
            update(self, receipt_handle, visibility_timeout)

    module.SqsQueue.update_visibility_timeout = updated


@patch(
    "localstack.services.sqs.queue",
    {"InterruptibleQueue.get": ("self", "block", "timeout"), "InterruptiblePriorityQueue": NAME},
)
def taken_messages(module: Any) -> None:
    """In LocalStack a message that a receive has taken is for a moment neither visible nor in flight: a queue that holds it looks empty."""
    from harness.inside.sqs.contents import counted  # noqa: PLC0415

    for queue in (module.InterruptibleQueue, module.InterruptiblePriorityQueue):
        queue._get = counted(queue._get)  # noqa: SLF001


@patch("localstack.services.sqs.queue", {"InterruptiblePriorityQueue": NAME})
def visible_messages(module: Any) -> None:
    """A queue of Python asks whether it is full, and then how long to wait. These are never full."""

    def put_nowait(self: Any, item: Any) -> None:
        with self.not_empty:
            self._put(item)
            self.unfinished_tasks += 1
            self.not_empty.notify()

    module.InterruptiblePriorityQueue.put_nowait = put_nowait


@patch(
    "localstack.services.sqs.models",
    {
        "FifoQueue.receive": ("self", "num_messages", "wait_time_seconds", "visibility_timeout"),
        "StandardQueue.receive": ("self", "num_messages", "wait_time_seconds", "visibility_timeout"),
    },
)
def received_messages(module: Any) -> None:
    """See taken_messages: the messages have arrived when the receive ends."""
    from harness.inside.sqs.contents import received  # noqa: PLC0415

    for queue in (module.FifoQueue, module.StandardQueue):
        queue.receive = received(queue.receive)


@patch(
    "localstack.services.sqs.provider",
    {"SqsProvider.receive_message": ("self", "context", "queue_url")},
)
def settled_messages(module: Any) -> None:
    """See taken_messages: dead letters have arrived when the provider has put them into their queue."""
    from harness.inside.sqs.contents import settled  # noqa: PLC0415

    module.SqsProvider.receive_message = settled(module.SqsProvider.receive_message)


PATCHES = (
    taken_messages,
    visible_messages,
    received_messages,
    settled_messages,
    message_metrics,
    waiting_metrics,
    dead_letters,
    message_groups,
    move_tasks,
    redrive_policies,
    deduplication,
    attempts,
    messages,
    visibility,
)
