"""The five metrics of a pipeline, in CloudWatch's embedded metric format: lines of the function's log, which CloudWatch counts.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import os
import time
import warnings

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit


def metrics_of(namespace: str, service: str) -> Metrics:
    """Returns the metrics of this function. Its handler must be decorated with their `log_metrics`."""
    # A file that is none, a page without items: nothing to count.
    warnings.filterwarnings("ignore", message="No application metrics to publish")
    metrics = Metrics(namespace=namespace, service=service)
    metrics.set_default_dimensions(function=os.environ["AWS_LAMBDA_FUNCTION_NAME"])
    return metrics


def count_records(metrics: Metrics, *, received: int, processed: int, started: float) -> None:
    """Counts the records of a batch: how many came, and how many of them this function stored or passed on; the others failed. A batch that comes
    again is counted again. `started` is when the function began with it, by time.perf_counter()."""
    if not received:
        return
    metrics.add_metric("RecordsReceived", MetricUnit.Count, received)
    metrics.add_metric("RecordsProcessed", MetricUnit.Count, processed)
    metrics.add_metric("RecordsFailed", MetricUnit.Count, received - processed)
    metrics.add_metric("ProcessingDuration", MetricUnit.Milliseconds, (time.perf_counter() - started) * 1000)
    metrics.add_metric("SuccessRate", MetricUnit.Percent, 100 * processed / received)
