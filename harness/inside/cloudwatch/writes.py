"""PutMetricData in one transaction. LocalStack opens its database and commits for every metric, which takes longer than what is measured."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SINGLE = "account_id, region, metric_name, namespace, timestamp, dimensions, unit, storage_resolution, value"
_AGGREGATED = (
    "account_id, region, metric_name, namespace, timestamp, dimensions, unit, storage_resolution, sample_count, sum, min, max"
)


def add_metric_data(self: Any, account_id: str, region: str, namespace: str, metric_data: Sequence[Any]) -> None:
    """Replaces CloudwatchDatabase.add_metric_data: a row per single value, and one per set of statistics."""
    single: list[tuple[Any, ...]] = []
    aggregated: list[tuple[Any, ...]] = []
    for metric in metric_data:
        timestamp = self._convert_timestamp_to_unix(metric["Timestamp"]) if metric.get("Timestamp") else int(time.time())
        dimensions = self._get_ordered_dimensions_with_separator(metric.get("Dimensions"))
        name, unit, resolution = metric.get("MetricName"), metric.get("Unit"), metric.get("StorageResolution")
        row = (account_id, region, name, namespace, timestamp, dimensions, unit, resolution)
        for value, times in _values(metric):
            single += [(*row, value)] * times
        if told := metric.get("StatisticValues"):
            aggregated.append((*row, told.get("SampleCount"), told.get("Sum"), told.get("Minimum"), told.get("Maximum")))
    with self.DATABASE_LOCK, sqlite3.connect(self.METRICS_DB) as connection:
        # It lives as long as the emulator: what is not on the disk yet is lost with it.
        connection.execute("PRAGMA synchronous = OFF")
        for table, columns, rows in (
            (self.TABLE_SINGLE_METRICS, _SINGLE, single),
            (self.TABLE_AGGREGATED_METRICS, _AGGREGATED, aggregated),
        ):
            places = ", ".join("?" * len(columns.split(", ")))
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)


def _values(metric: Any) -> Iterator[tuple[float, int]]:
    if metric.get("Value") is not None:
        yield metric["Value"], 1
        return
    values = metric.get("Values") or ()
    for value, times in zip(values, metric.get("Counts") or [1] * len(values), strict=True):
        yield value, int(times)
