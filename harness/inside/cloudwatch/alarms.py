"""Alarms on percentiles and on metric math, which LocalStack keeps and never evaluates.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-alarms.html and …/Create-alarm-on-metric-math-expression.html
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def described(describe: Callable[[str], Any]) -> Callable[[str], Any]:
    """Returns LocalStack's function that looks an alarm up, whose answer now has what LocalStack's evaluation needs."""

    @functools.wraps(describe)
    def found(arn: str) -> Any:
        alarm = describe(arn)
        if not alarm:
            return alarm
        if "ExtendedStatistic" in alarm:
            return {**alarm, "Statistic": alarm["ExtendedStatistic"]}
        stats = [query["MetricStat"] for query in alarm.get("Metrics") or [] if "MetricStat" in query]
        if not stats:
            return alarm
        # A name and a statistic stand for the expression, where LocalStack only looks whether there are any.
        return {"MetricName": "", "Statistic": stats[0]["Stat"], **alarm, "Period": max(stat["Period"] for stat in stats)}

    return found


def collected(collect: Callable[[Any, Any], list[Any]]) -> Callable[[Any, Any], list[Any]]:
    """Returns LocalStack's function that reads the values of an alarm's metric, the oldest first, None for none."""

    @functools.wraps(collect)
    def read(alarm: Any, client: Any) -> list[Any]:
        queries = alarm.get("Metrics")
        if not queries:
            return collect(alarm, client)
        periods = alarm["EvaluationPeriods"] + max(alarm["EvaluationPeriods"] // 3, 2)
        end, step = datetime.now(UTC), timedelta(seconds=alarm["Period"])
        values: list[Any] = []
        for _ in range(periods):
            results = client.get_metric_data(MetricDataQueries=queries, StartTime=end - step, EndTime=end)["MetricDataResults"]
            found: list[Any] = next((result["Values"] for result in results if result["Values"]), [])
            values.insert(0, found[0] if found else None)
            end -= step
        return values

    return read
