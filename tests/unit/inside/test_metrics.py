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
    st.sampled_from("ab"),
    st.just("Count"),
)


@given(st.dictionaries(st.tuples(METRICS, st.integers(1, 400).map(float)), st.integers(1, 5)))
def test_every_value_is_sent_as_often_as_it_was_counted_within_the_limits(counted):
    sent = Counter()
    for (account, region, namespace), data in data_of(counted).items():
        for one in data:
            assert len(one["Values"]) == len(one["Counts"]) <= 150
            metric = Metric(
                account, region, namespace, (one["Dimensions"][0]["Name"], one["Dimensions"][0]["Value"]), one["MetricName"]
            )
            for value, times in zip(one["Values"], one["Counts"], strict=True):
                sent[metric, value] += int(times)
    assert sent == counted
