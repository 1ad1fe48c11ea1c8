"""Metrics of LocalStack's own services, on their way to CloudWatch."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.inside.metrics import Metric, data_of

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
