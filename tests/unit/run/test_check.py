"""What `pipeproof check` tells of references."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.run.check import _attributes


@pytest.mark.parametrize(
    ("kind", "attribute", "is_refused"),
    [
        ("AWS::CloudFormation::Stack", "Outputs.BucketName", False),
        ("AWS::CloudFormation::Stack", "BucketName", True),
        ("AWS::SQS::Queue", "QueueUrl", False),
        ("AWS::SQS::Queue", "Outputs.QueueUrl", True),
        ("AWS::Unheard::Of", "Anything", False),
    ],
)
def test_an_attribute_is_one_of_the_type_or_an_output_of_a_nested_stack(kind, attribute, is_refused):
    document = {"probes": [{"kind": "s3", "bucket": f"${{resources.Part.{attribute}}}"}]}
    told = list(_attributes(SimpleNamespace(document=lambda: document), SimpleNamespace(resources={"Part": {"Type": kind}})))
    assert [place for place, _ in told] == ([("probes", 0, "bucket")] if is_refused else [])
