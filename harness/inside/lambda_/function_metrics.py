"""The metrics of functions.

Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from harness.inside import metrics

if TYPE_CHECKING:
    from collections.abc import Callable


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


def record_dropped(version: Any) -> None:
    """Counts an asynchronous event that is given up, whatever becomes of it then. `version` is LocalStack's identity of the function."""
    _count("AsyncEventsDropped", version.function_name, version.account, version.region)


def record_iterator_age(function_arn: str, age_ms: float) -> None:
    """Counts how old the last record of a stream's batch was when it was handed over."""
    parts = function_arn.split(":")
    _count("IteratorAge", parts[6], parts[4], parts[3], round(max(age_ms, 0.0)), "Milliseconds")


def counting_failures(send: Callable[..., Any], metric: str) -> Callable[..., Any]:
    """Returns a function of LocalStack's that sends what a function could not do, and counts where that fails. `source_arn` is the function's."""

    @functools.wraps(send)
    def sent(*args: Any, source_arn: str, **kwargs: Any) -> Any:
        try:
            return send(*args, source_arn=source_arn, **kwargs)
        except Exception:
            parts = source_arn.split(":")
            _count(metric, parts[6], parts[4], parts[3])
            raise

    return sent


def _count(metric: str, function_name: str, account: str, region: str, value: float = 1.0, unit: str = "Count") -> None:
    metrics.count(metrics.Metric(account, region, "AWS/Lambda", ("FunctionName", function_name), metric, unit), value)
