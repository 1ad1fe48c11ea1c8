from hypothesis import given
from hypothesis import strategies as st

from harness.aws.estimate import _COSTS, estimate, prices

TEMPLATE = {
    "Globals": {"Function": {"MemorySize": 1024, "Timeout": 60}},
    "Resources": {
        "Events": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 2}},
        "Work": {"Type": "AWS::Serverless::Function", "Properties": {"MemorySize": {"Ref": "Memory"}}},
        "Other": {"Type": "AWS::Serverless::Function"},
        "Role": {"Type": "AWS::IAM::Role"},
    },
}


def test_a_million_events_of_a_kilobyte():
    """By hand, from the prices: twice two shard hours and a million units; twice two functions, of which one has a gigabyte."""
    of = prices()
    found = estimate(TEMPLATE, 10**6, 10**9)
    assert found.keys() == {"Kinesis", "Lambda", "CloudWatch Logs"}
    assert round(found["Kinesis"], 4) == round(2 * (2 * of["kinesis_shard_hour"] + 10**6 * of["kinesis_put_unit"]), 4)
    memory = 1024 / 1024 + 128 / 1024
    assert round(found["Lambda"], 2) == round(2 * 10**6 * (2 * of["lambda_request"] + memory * of["lambda_gb_second"]), 2)


@given(st.lists(st.sampled_from(sorted(_COSTS)), max_size=8), st.integers(1, 10**6), st.integers(0, 10**9), st.integers(1, 9))
def test_more_records_larger_ones_and_more_resources_never_cost_less(types, records, size, more):
    template = {"Resources": {f"R{number}": {"Type": kind} for number, kind in enumerate(types)}}
    larger = {"Resources": {**template["Resources"], "More": {"Type": "AWS::SQS::Queue"}}}
    usd = sum(estimate(template, records, size).values())
    # The same size each.
    assert sum(estimate(template, records * more, size * more).values()) >= usd
    assert sum(estimate(template, records, size * more).values()) >= usd
    assert sum(estimate(larger, records, size).values()) > usd
    assert (usd > 0) == bool(types)


def test_a_load_of_nothing_costs_what_stands():
    assert estimate(TEMPLATE, 0, 0).keys() == {"Kinesis", "Lambda", "CloudWatch Logs"}
