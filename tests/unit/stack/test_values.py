"""What can be told of a template before CloudFormation evaluates it."""

from __future__ import annotations

import pytest

from harness.stack.layers import is_public, requirement_of
from harness.stack.values import holds, parameter_values, text_of

TEMPLATE = {
    "Parameters": {"Stage": {"Default": "dev"}, "Size": {"Type": "Number"}},
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
        "IsDev": {"Fn::Not": [{"Condition": "IsProd"}]},
        "Unknown": {"Fn::Equals": [{"Fn::GetAtt": ["A", "B"]}, "x"]},
        "Either": {"Fn::Or": [{"Condition": "Unknown"}, {"Condition": "IsDev"}]},
        "Both": {"Fn::And": [{"Condition": "Unknown"}, {"Condition": "IsDev"}]},
        "Neither": {"Fn::And": [{"Condition": "Unknown"}, {"Condition": "IsProd"}]},
        "Circle": {"Condition": "Circle"},
    },
}
VALUES = parameter_values(TEMPLATE, {"Size": "3"}, "111122223333")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (5, "5"),
        ({"Ref": "Stage"}, "dev"),
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Bucket"}, None),
        ({"Fn::Sub": "${Stage}-${AWS::AccountId}-${Size}"}, "dev-111122223333-3"),
        ({"Fn::Sub": ["${Stage}${Own}", {"Own": {"Ref": "Size"}}]}, "dev3"),
        ({"Fn::Sub": "${Bucket.Arn}"}, None),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-dev"),
        ({"Fn::Join": ["-", [{"Ref": "Bucket"}]]}, None),
        ({"Fn::ImportValue": "x"}, None),
    ],
)
def test_a_text_is_told_as_far_as_parameters_decide_it(value, text):
    assert text_of(value, VALUES) == text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IsProd", False),
        ("IsDev", True),
        ("Unknown", None),
        ("Either", True),
        ("Both", None),
        ("Neither", False),
        ("Circle", None),
        ("X", None),
    ],
)
def test_a_condition_is_told_as_far_as_parameters_decide_it(name, expected):
    assert holds(TEMPLATE, name, VALUES) is expected


@pytest.mark.parametrize(
    ("layer", "public", "requirement"),
    [
        ({"Ref": "MyLayer"}, False, None),
        ("arn:aws:lambda:us-east-1:111122223333:layer:mine:1", False, None),
        ({"Fn::Sub": "arn:aws:lambda:${AWS::Region}:017000801446:layer:AWSLambdaPowertoolsPythonV2:46"}, True, "aws-lambda-powertools[all]>=2,<3"),
        ("arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python312-x86_64:7", True, "aws-lambda-powertools[all]>=3,<4"),
        ("{{resolve:ssm:/aws/service/powertools/python/x86_64/python3.12/latest}}", True, "aws-lambda-powertools[all]>=3,<4"),
        ("arn:aws:lambda:us-east-1:336392948345:layer:AWSSDKPandas-Python312:13", True, "awswrangler"),
        ("arn:aws:lambda:us-east-1:580247275435:layer:LambdaInsightsExtension:14", True, None),
    ],
)  # fmt: skip
def test_public_layers_are_known_by_their_arn(layer, public, requirement):
    assert (is_public(layer, VALUES), requirement_of(layer, VALUES)) == (public, requirement)
