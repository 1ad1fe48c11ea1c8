"""Patches of SQS."""

from __future__ import annotations

from typing import Any

from harness.inside.patches.declare import patch


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


PATCHES = (message_metrics,)
