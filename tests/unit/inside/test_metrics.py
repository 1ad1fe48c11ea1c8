"""Metrics of LocalStack's own services, on their way to CloudWatch."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.inside import metrics
from harness.inside.gauges.deliveries import DELIVERIES
from harness.inside.metrics import Metric, count, data_of

METRICS = st.builds(
    Metric,
    st.sampled_from(["1", "2"]),
    st.just("us-east-1"),
    st.just("AWS/SQS"),
    st.just(("QueueName", "q")),
    st.sampled_from(["Duration", "NumberOfMessagesSent"]),
    st.just("Count"),
)


@given(st.dictionaries(st.tuples(METRICS, st.integers(1, 400).map(float)), st.integers(1, 5)))
def test_everything_that_was_counted_is_sent_within_the_limits(counted):
    """Durations as the values that they were, for percentiles; all else as sum, count and bounds."""
    sent = Counter()
    sums = Counter()
    for (account, region, namespace), data in data_of(counted).items():
        for one in data:
            metric = Metric(
                account, region, namespace, (one["Dimensions"][0]["Name"], one["Dimensions"][0]["Value"]), one["MetricName"]
            )
            if "StatisticValues" in one:
                statistics = one["StatisticValues"]
                values = [value for (of, value) in counted if of == metric]
                assert (statistics["Minimum"], statistics["Maximum"]) == (min(values), max(values))
                sums[metric] += statistics["Sum"]
                continue
            assert len(one["Values"]) == len(one["Counts"]) <= 150
            for value, times in zip(one["Values"], one["Counts"], strict=True):
                sent[metric, value] += int(times)
    assert sent == {key: times for key, times in counted.items() if key[0].name == "Duration"}
    expected = Counter()
    for (metric, value), times in counted.items():
        if metric.name != "Duration":
            expected[metric] += value * times
    assert sums == expected


def test_what_is_counted_is_under_way_until_it_is_sent_once(monkeypatch):
    """As often as it is counted; what somebody who reads has caused is not."""
    sent = []
    # No thread sends.
    monkeypatch.setattr(metrics, "_sender", [None])
    monkeypatch.setattr(metrics, "_counted", {})
    monkeypatch.setattr(metrics, "_store", lambda *args: sent.append((args, DELIVERIES.count("7"))))
    sizes, received = (
        Metric("7", "us-east-1", "AWS/SQS", ("QueueName", "q"), name) for name in ("SentMessageSize", "NumberOfMessagesReceived")
    )
    count(received)
    assert DELIVERIES.count("7") == 0
    for value in (1.0, 1.0, 2.0):
        count(sizes, value)
    assert DELIVERIES.count("7") > 0
    metrics._send()
    ((told, under_way),) = sent
    assert under_way > 0
    assert {one["MetricName"]: one["StatisticValues"]["SampleCount"] for one in told[3]} == {
        "SentMessageSize": 3,
        "NumberOfMessagesReceived": 1,
    }
    assert DELIVERIES.count("7") == 0
