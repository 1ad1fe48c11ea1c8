from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.aws.estimate import _COSTS, estimate, prices
from harness.stack.template import Template

DOCUMENT = {
    "Parameters": {"Memory": {"Type": "Number", "Default": "1024"}},
    "Globals": {"Function": {"MemorySize": 512, "Timeout": 60}},
    "Resources": {
        "Events": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": "2"}},
        "Work": {"Type": "AWS::Serverless::Function", "Properties": {"MemorySize": {"Ref": "Memory"}}},
        "Other": {"Type": "AWS::Serverless::Function"},
        "Role": {"Type": "AWS::IAM::Role"},
    },
}


def costs(document, records, size, **parameters):
    return estimate(Template(Path("template.yaml"), document, None), parameters, records, size)


@pytest.mark.parametrize(("parameters", "gigabytes"), [({}, 1.5), ({"Memory": "2048"}, 2.5)])
def test_a_million_events_of_a_kilobyte(parameters, gigabytes):
    """By hand, from the prices: twice two shard hours and a million units; twice two functions."""
    of = prices()
    found, unpriced = costs(DOCUMENT, 10**6, 10**9, **parameters)
    assert found.keys() == {"Kinesis", "Lambda", "CloudWatch Logs"}
    assert unpriced == set()
    assert round(found["Kinesis"], 4) == round(2 * (2 * of["kinesis_shard_hour"] + 10**6 * of["kinesis_put_unit"]), 4)
    assert round(found["Lambda"], 2) == round(2 * 10**6 * (2 * of["lambda_request"] + gigabytes * of["lambda_gb_second"]), 2)


def test_what_only_cloudformation_knows_costs_the_most_that_it_may():
    unknown = {
        "Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": {"Fn::FindInMap": ["a", "b", "c"]}}}}
    }
    known = {"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {"MemorySize": 10_240}}}}
    assert costs(unknown, 100, 0) == costs(known, 100, 0)


def test_a_record_of_no_bytes_is_paid_like_a_small_one():
    table = {"Resources": {"T": {"Type": "AWS::DynamoDB::Table"}}}
    assert costs(table, 100, 0) == costs(table, 100, 100)
    assert costs(table, 100, 0)[0]["DynamoDB"] > 0


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ({"Type": "AWS::SNS::Topic"}, set()),
        ({"Type": "Custom::Own"}, set()),
        ({"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "inner.yaml"}}, set()),
        ({"Type": "AWS::RDS::DBInstance"}, {"AWS::RDS::DBInstance"}),
        ({"Type": "AWS::Glue::Job"}, {"AWS::Glue::Job"}),
        ({"Type": "AWS::CloudFormation::StackSet"}, {"AWS::CloudFormation::StackSet"}),
        ({"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://a/b"}}, {"AWS::CloudFormation::Stack"}),
        (
            {"Type": "AWS::DynamoDB::Table", "Properties": {"ProvisionedThroughput": {"ReadCapacityUnits": 1}}},
            {"AWS::DynamoDB::Table with ProvisionedThroughput"},
        ),
        (
            {"Type": "AWS::Serverless::Function", "Properties": {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 5}}},
            {"AWS::Serverless::Function with ProvisionedConcurrencyConfig"},
        ),
    ],
)  # fmt: skip
def test_what_has_no_price_is_named(resource, named):
    assert costs({"Resources": {"R": resource}}, 1, 1)[1] == named


@pytest.mark.parametrize(
    ("ready", "named"), [("0", set()), ("5", {"AWS::Lambda::Alias with ProvisionedConcurrencyConfig", "AWS::RDS::DBInstance"})]
)
def test_what_a_condition_leaves_out_costs_nothing(ready, named):
    document = {
        "Parameters": {"Ready": {"Type": "Number", "Default": "0"}},
        "Conditions": {"IsReady": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Ready"}, "0"]}]}},
        "Resources": {
            "Live": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {"ProvisionedConcurrencyConfig": {"Fn::If": ["IsReady", {"A": 5}, {"Ref": "AWS::NoValue"}]}},
            },
            "Database": {"Type": "AWS::RDS::DBInstance", "Condition": "IsReady"},
        },
    }
    assert costs(document, 1, 1, Ready=ready)[1] == named


def test_resources_that_a_macro_makes_have_no_price():
    assert costs({"Resources": {"Fn::ForEach::Queues": ["Name", ["a"], {}]}}, 1, 1)[1] == {"Fn::ForEach::Queues"}


@given(st.lists(st.sampled_from(sorted(_COSTS)), max_size=8), st.integers(1, 10**6), st.integers(0, 10**9), st.integers(1, 9))
def test_more_records_larger_ones_and_more_resources_never_cost_less(types, records, size, more):
    def usd(types, records, size):
        found, _ = costs({"Resources": {f"R{number}": {"Type": kind} for number, kind in enumerate(types)}}, records, size)
        return sum(found.values())

    least = usd(types, records, size)
    # The same size each.
    assert usd(types, records * more, size * more) >= least
    assert usd(types, records, size * more) >= least
    assert usd([*types, "AWS::SQS::Queue"], records, size) > least
    assert (least > 0) == bool(types)
