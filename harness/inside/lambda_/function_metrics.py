"""The metrics of functions.

Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

from typing import Any

from harness.inside import metrics


def record_invocation(function_name: str, account_id: str, region_name: str) -> None:
    """Replaces LocalStack's record_cw_metric_invocation."""
    _count("Invocations", function_name, account_id, region_name)


def record_error(function_name: str, account_id: str, region_name: str) -> None:
    """Replaces LocalStack's record_cw_metric_error."""
    _count("Invocations", function_name, account_id, region_name)
    _count("Errors", function_name, account_id, region_name)


def record_duration(version: Any, duration_ms: float, running: int) -> None:
    """Counts how long an invocation took, and how many ran at its end, it included. `version` is LocalStack's identity of the function."""
    _count("Duration", version.function_name, version.account, version.region, round(duration_ms, 1), "Milliseconds")
    _count("ConcurrentExecutions", version.function_name, version.account, version.region, running)


def record_iterator_age(function_arn: str, age_ms: float) -> None:
    """Counts how old the last record of a stream's batch was when it was handed over."""
    parts = function_arn.split(":")
    _count("IteratorAge", parts[6], parts[4], parts[3], round(max(age_ms, 0.0)), "Milliseconds")


def _count(metric: str, function_name: str, account: str, region: str, value: float = 1.0, unit: str = "Count") -> None:
    metrics.count(metrics.Metric(account, region, "AWS/Lambda", ("FunctionName", function_name), metric, unit), value)
