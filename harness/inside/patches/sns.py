"""Patches of SNS."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch

_MOST_ATTRIBUTES = 10
"""That a message of a queue may have."""


@patch("localstack.services.sns.publisher", {"ThreadPoolExecutor": NAME, "TopicPartitionedThreadPoolExecutor": NAME})
def deliveries(module: Any) -> None:
    """SNS delivers on background threads that nothing counts: a drain could not know of them."""
    from harness.inside.gauges.deliveries import CountedExecutor, counted_by_topic  # noqa: PLC0415

    module.ThreadPoolExecutor = CountedExecutor
    module.TopicPartitionedThreadPoolExecutor = counted_by_topic(module.TopicPartitionedThreadPoolExecutor)


@patch(
    "localstack.services.sns.filter",
    {
        "SubscriptionFilter._evaluate_condition": ("self", "value", "condition"),
        "SubscriptionFilter._evaluate_filter_policy_conditions_on_attribute": ("self", "conditions", "attribute"),
    },
)
def filter_policies(module: Any) -> None:
    """LocalStack raises where a condition on text meets a number: no subscription gets the message. It takes the value of a Number attribute for text."""
    from harness.inside.events.conditions import matches, of_attribute  # noqa: PLC0415

    def evaluated(_self: Any, value: Any, condition: Any, field_exists: bool) -> bool:  # noqa: FBT001 - LocalStack's
        return matches(value, condition, field_exists=field_exists)

    def on_attribute(_self: Any, conditions: Any, attribute: Any, field_exists: bool) -> bool:  # noqa: FBT001
        values = of_attribute(attribute) if field_exists else [None]
        wanted = conditions if isinstance(conditions, list) else [conditions]
        return any(matches(value, condition, field_exists=field_exists) for value in values for condition in wanted)

    module.SubscriptionFilter._evaluate_condition = evaluated  # noqa: SLF001
    module.SubscriptionFilter._evaluate_filter_policy_conditions_on_attribute = on_attribute  # noqa: SLF001


@patch(
    "localstack.services.sns.publisher",
    {
        "PublishDispatcher.publish_to_topic": ("self", "ctx", "topic_arn"),
        "PublishDispatcher.publish_batch_to_topic": ("self", "ctx", "topic_arn"),
    },
)
def fifo_topics(module: Any) -> None:
    """LocalStack's FIFO topics deliver a message that is published twice, twice."""
    from harness.inside.sns.deduplication import batch_published_once, published_once  # noqa: PLC0415

    dispatcher = module.PublishDispatcher
    dispatcher.publish_to_topic = published_once(dispatcher.publish_to_topic)
    dispatcher.publish_batch_to_topic = batch_published_once(dispatcher.publish_batch_to_topic)


@patch(
    "localstack.services.sns.publisher",
    {"sns_error_to_dead_letter_queue": ("sns_subscriber", "message", "error")},
)
def undeliverable(module: Any) -> None:
    """LocalStack sends a dead letter with the attributes that a queue has just refused: it is refused again, and gone."""
    to_dead_letter_queue = module.sns_error_to_dead_letter_queue

    def dead_lettered(sns_subscriber: Any, message: str, error: str, **kwargs: Any) -> None:
        if len(kwargs.get("MessageAttributes") or ()) > _MOST_ATTRIBUTES:
            del kwargs["MessageAttributes"]
        to_dead_letter_queue(sns_subscriber, message, error, **kwargs)

    module.sns_error_to_dead_letter_queue = dead_lettered


PATCHES = (deliveries, filter_policies, fifo_topics, undeliverable)
