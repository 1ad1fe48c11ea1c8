"""Patches of SNS."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import NAME, patch


@patch("localstack.services.sns.publisher", {"ThreadPoolExecutor": NAME, "TopicPartitionedThreadPoolExecutor": NAME})
def deliveries(module: Any) -> None:
    """SNS delivers on background threads that nothing counts: a drain could not know of them."""
    from harness.inside.gauges.deliveries import CountedExecutor, counted_by_topic  # noqa: PLC0415

    module.ThreadPoolExecutor = CountedExecutor
    module.TopicPartitionedThreadPoolExecutor = counted_by_topic(module.TopicPartitionedThreadPoolExecutor)


PATCHES = (deliveries,)
