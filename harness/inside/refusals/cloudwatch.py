"""CloudWatch and its logs: values, times and batches that are not taken.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html and
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

import math
import time
from typing import Any

_OLDEST_S, _NEWEST_S = 14 * 24 * 3600, 2 * 3600
_DAY_MS, _MOST_BATCH_BYTES, _EVENT_OVERHEAD_BYTES = 24 * 3600 * 1000, 1_048_576, 26
_RETENTIONS = {1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
_PERIODS = {1, 5, 10, 20, 30}


def _metrics(request: Any) -> tuple[str, str] | None:
    for number, metric in enumerate(request.get("MetricData") or (), 1):
        at = metric.get("Timestamp")
        at_s = at.timestamp() if hasattr(at, "timestamp") else None
        if at_s is not None and not time.time() - _OLDEST_S <= at_s <= time.time() + _NEWEST_S:
            return "InvalidParameterValue", (
                f"The parameter MetricData.member.{number}.Timestamp must specify a time within the past two weeks and the next two hours."
            )
        values = [metric.get("Value"), *(metric.get("Values") or ()), *(metric.get("StatisticValues") or {}).values()]
        if any(value is not None and not math.isfinite(value) for value in values):
            return "InvalidParameterValue", f"The value for parameter MetricData.member.{number}.Value is invalid: not a number."
    return None


def _alarm(request: Any) -> tuple[str, str] | None:
    period = request.get("Period")
    if period is not None and period not in _PERIODS and period % 60:
        return "ValidationError", f"Period must be 10, 20, 30 or a multiple of 60, it is {period}"
    return None


def _events(request: Any) -> tuple[str, str] | None:
    events = request.get("logEvents") or ()
    times = [event["timestamp"] for event in events]
    if times and max(times) - min(times) > _DAY_MS:
        return (
            "InvalidParameterException",
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        )
    size = sum(len((event.get("message") or "").encode()) + _EVENT_OVERHEAD_BYTES for event in events)
    if size > _MOST_BATCH_BYTES:
        return "InvalidParameterException", f"Upload too large: {size} bytes exceeds limit of {_MOST_BATCH_BYTES}"
    return None


def _retention(request: Any) -> tuple[str, str] | None:
    days = request.get("retentionInDays")
    if days not in _RETENTIONS:
        return (
            "InvalidParameterException",
            f"1 validation error detected: Value '{days}' at 'retentionInDays' is not one that can be chosen",
        )
    return None


CHECKS = {"PutMetricData": _metrics, "PutMetricAlarm": _alarm}
CHECKS_OF_LOGS = {"PutLogEvents": _events, "PutRetentionPolicy": _retention}
