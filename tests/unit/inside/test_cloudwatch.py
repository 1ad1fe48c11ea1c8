"""Embedded metric format, and the limits of PutLogEvents."""

from __future__ import annotations

import json

import pytest

from harness.inside.lambda_.logs import _batches
from harness.inside.logs.embedded import metric_data


def test_a_line_in_embedded_metric_format_is_its_metrics():
    document = {
        "_aws": {
            "Timestamp": 1_700_000_000_000,
            "CloudWatchMetrics": [
                {"Namespace": "N", "Dimensions": [["a"], ["a", "b"]], "Metrics": [{"Name": "M", "Unit": "Count"}, {"Name": "L"}]}
            ],
        },
        "a": "1",
        "b": "2",
        "M": 3,
        "L": [1, 2.5],
    }
    ((namespace, data),) = metric_data(json.dumps(document))
    assert namespace == "N"
    assert [(d["MetricName"], len(d["Dimensions"]), d["Values"], d["Unit"]) for d in data] == [
        ("M", 1, [3.0], "Count"),
        ("L", 1, [1.0, 2.5], "None"),
        ("M", 2, [3.0], "Count"),
        ("L", 2, [1.0, 2.5], "None"),
    ]


@pytest.mark.parametrize(
    "line", ["", "text", '{"a": 1}', '{"_aws": 1}', '{"_aws": {"Timestamp": "x", "CloudWatchMetrics": []}}', "[]"]
)
def test_any_other_line_is_none(line):
    assert metric_data(line) == []


def test_log_events_are_put_within_the_limits_and_none_is_left_out():
    events = [{"timestamp": 0, "message": "x" * 200_000} for _ in range(12)] + [{"timestamp": 0, "message": "y"}] * 10_001
    batches = _batches(events)
    assert [event for batch in batches for event in batch] == events
    assert all(len(batch) <= 10_000 for batch in batches)
    assert all(sum(len(e["message"]) + 26 for e in batch) <= 1_048_576 for batch in batches)
