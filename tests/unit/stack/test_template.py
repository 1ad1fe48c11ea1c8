"""Templates as plain data: CloudFormation's short forms, dates as text, and a clear word for what is none."""

from __future__ import annotations

import json
import re

import pytest

from harness.errors import UsageError
from harness.stack.template import load_template

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Resources:
  A:
    Type: AWS::SQS::Queue
    Condition: Wanted
    Properties:
      Ref: !Ref B
      GetAtt: !GetAtt B.Arn
      Sub: !Sub "${B}-x"
      Join: !Join ["", [a, !Ref B]]
      If: !If [Wanted, {Version: 2012-10-17}, !Ref AWS::NoValue]
"""


def test_short_forms_are_read_as_their_long_ones_and_dates_as_text(tmp_path):
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    document = load_template(path)
    assert document["AWSTemplateFormatVersion"] == "2010-09-09"
    assert document["Resources"]["A"]["Properties"] == {
        "Ref": {"Ref": "B"},
        "GetAtt": {"Fn::GetAtt": ["B", "Arn"]},
        "Sub": {"Fn::Sub": "${B}-x"},
        "Join": {"Fn::Join": ["", ["a", {"Ref": "B"}]]},
        "If": {"Fn::If": ["Wanted", {"Version": "2012-10-17"}, {"Ref": "AWS::NoValue"}]},
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "has no Resources"), ("a: [", "is not YAML"), ("Resources: 5", "has no Resources"), ("\0", "is not YAML")],
)
def test_what_is_no_template_is_named(tmp_path, text, said):
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as refused:
        load_template(path)
    assert str(path) in str(refused.value)


def test_a_missing_template_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.yaml: No such file"):
        load_template(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Resources: {A: 1}", "Resources.A: expected a mapping"),
        ("Resources: {A: {Type: [x]}}", "Resources.A.Type: expected text, such as AWS::S3::Bucket"),
        ("Resources: {A: {}}", "Resources.A.Type: expected text"),
        ("Resources: {A: {Type: T, Properties: [1]}}", "Resources.A.Properties: expected a mapping"),
        ("Globals: 1\nResources: {}", "Globals: expected a mapping"),
        ("Globals: {Function: 1}\nResources: {}", "Globals.Function: expected a mapping"),
        ("Parameters: [a]\nResources: {}", "Parameters: expected a mapping"),
        ("Parameters: {a: 1}\nResources: {}", "Parameters.a: expected a mapping"),
    ],
)
def test_other_types_than_cloudformation_has_are_named_with_their_place(tmp_path, text, said):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(said)):
        load_template(path)


@pytest.mark.parametrize(
    "text",
    [
        "Globals:\nParameters:\nOutputs:\nConditions:\nResources: {A: {Type: T, Properties: }}",
        "Resources: {1: {Type: T}, Fn::Transform: {Name: AWS::Include}, 'Fn::ForEach::Each': [x, [a], {}]}",
        "Globals: {Api: {Auth: x}}\nParameters: {a: {Default: 1}}\nResources: {}",
    ],
)
def test_what_cloudformation_and_its_macros_take_is_a_template(tmp_path, text):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    assert load_template(path)["Resources"] is not None


def include(location):
    return {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": location}}}


def test_a_local_file_that_is_included_takes_the_place_of_the_include(tmp_path):
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.0.1\npaths:\n  /x:\n    Fn::Transform: {Name: AWS::Include, Parameters: {Location: more.yaml}}\n"
    )
    (tmp_path / "more.yaml").write_text("post: {uri: !Sub '${F.Arn}'}\n")
    path = tmp_path / "t.json"
    body = {**include("api.yaml"), "info": {"title": "t"}}
    path.write_text(json.dumps({"Resources": {"Api": {"Type": "X", "Properties": {"DefinitionBody": body}}}}))
    assert load_template(path)["Resources"]["Api"]["Properties"]["DefinitionBody"] == {
        "openapi": "3.0.1", "info": {"title": "t"}, "paths": {"/x": {"post": {"uri": {"Fn::Sub": "${F.Arn}"}}}},
    }  # fmt: skip


def test_an_include_from_s3_is_left_to_cloudformation(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"Resources": {"A": {"Type": "X", "Properties": include("s3://bucket/key")}}}))
    assert load_template(path)["Resources"]["A"]["Properties"] == include("s3://bucket/key")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        ("- 1\n", "expected a mapping"),
        (json.dumps(include("part.yaml")), "includes itself"),
        ("a: [", "not YAML"),
    ],
)
def test_an_include_that_cannot_be_read_is_told(tmp_path, content, said):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"Resources": {"A": {"Type": "X", "Properties": include("part.yaml")}}}))
    if content is not None:
        (tmp_path / "part.yaml").write_text(content)
    with pytest.raises(UsageError, match=said):
        load_template(path)
