"""Which services an emulator loads ahead."""

from __future__ import annotations

import pytest

from harness.emulator.ahead import load, services_of


def test_the_services_of_types_come_once_and_those_that_are_not_known_not_at_all():
    types = [
        "AWS::Serverless::Function",
        "AWS::S3::Bucket",
        "AWS::Lambda::Permission",
        "AWS::S3::BucketPolicy",
        "Custom::Own",
        "AWS::EC2::VPC",
        "x",
    ]
    assert services_of(types) == ["lambda", "iam", "s3"]


@pytest.mark.parametrize("types", [[], ["AWS::SQS::Queue"]])
def test_nothing_depends_on_it(types):
    load("http://127.0.0.1:1", "1" * 12, "us-east-1", types)
