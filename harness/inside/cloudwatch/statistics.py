"""Percentiles of metrics, which LocalStack's database has not.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
"""

from __future__ import annotations

import math
import re
import sqlite3
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)$")


def is_percentile(statistic: str) -> bool:
    """Returns whether a statistic is a percentile, such as p99.9."""
    return _PERCENTILE.match(statistic) is not None


def percentile(values: Sequence[float], statistic: str) -> float:
    """Returns the percentile of the values, interpolated between the two nearest ranks."""
    found = _PERCENTILE.match(statistic)
    assert found
    ordered = sorted(values)
    rank = float(found[1]) / 100 * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def percentiles(database: Any, account: str, region: str, query: Any, start_s: int, end_s: int) -> tuple[list[int], list[float]]:
    """Returns (starts of periods in seconds since the epoch, percentiles) of a metric's single values, the oldest first."""
    metric_stat = query["MetricStat"]
    metric, period = metric_stat["Metric"], metric_stat["Period"]
    dimensions = list(metric.get("Dimensions") or [])
    wanted = database._get_ordered_dimensions_with_separator(dimensions)  # noqa: SLF001 - LocalStack's own form of them
    sql = (
        f"SELECT timestamp, value FROM {database.TABLE_SINGLE_METRICS} WHERE account_id = ? AND region = ? AND namespace = ? "
        "AND metric_name = ? AND dimensions IS ? AND timestamp >= ? AND timestamp < ?"
    )
    with database.DATABASE_LOCK, sqlite3.connect(database.METRICS_DB_READ_ONLY, uri=True) as connection:
        rows = connection.execute(
            sql, (account, region, metric["Namespace"], metric["MetricName"], wanted, start_s, end_s)
        ).fetchall()
    periods: dict[int, list[float]] = {}
    for timestamp, value in rows:
        periods.setdefault(start_s + (int(timestamp) - start_s) // period * period, []).append(float(value))
    starts = sorted(periods)
    return starts, [percentile(periods[start], metric_stat["Stat"]) for start in starts]
