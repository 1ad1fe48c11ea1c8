"""Metrics that log events hold in the embedded metric format, whoever puts them. LocalStack does not extract them.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The limit of PutMetricData.
_METRICS_PER_PUT = 1000


def embedded(messages: Iterable[str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yields the PutMetricData calls that log events stand for: (namespace, metric data)."""
    found: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        for namespace, data in metric_data(message) if '"_aws"' in message else ():
            found.setdefault(namespace, []).extend(data)
    for namespace, data in found.items():
        for start in range(0, len(data), _METRICS_PER_PUT):
            yield namespace, data[start : start + _METRICS_PER_PUT]


def metric_data(line: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Returns the PutMetricData calls that one log line stands for: (namespace, metric data). Empty for any other line."""
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
        timestamp = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, tz=UTC)
    except (ValueError, TypeError, KeyError):
        return []
    calls = []
    for directive in directives:
        data = []
        for dimension_set in directive.get("Dimensions") or [[]]:
            dimensions = [{"Name": name, "Value": str(document[name])} for name in dimension_set if name in document]
            for metric in directive.get("Metrics", []):
                value = document.get(metric["Name"])
                data.append(
                    {
                        "MetricName": metric["Name"],
                        "Dimensions": dimensions,
                        "Timestamp": timestamp,
                        "Values": [float(v) for v in (value if isinstance(value, list) else [value])],
                        "Unit": metric.get("Unit", "None"),
                        "StorageResolution": metric.get("StorageResolution", 60),
                    }
                )
        calls.append((directive["Namespace"], data))
    return calls
