"""What the emulator cannot make of a template, but for the runtimes of its functions."""

from __future__ import annotations

import pytest

from harness.emulator.emulator import Abilities
from harness.stack.template import read_template
from harness.stack.unsupported import unsupported

ALL = Abilities("python3.11", None, frozenset())


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("AWS::S3::Bucket", "ReplicationConfiguration", "{Role: r, Rules: []}"),
        ("AWS::S3::Bucket", "InventoryConfigurations", "[{Id: i}]"),
        ("AWS::DynamoDB::Table", "ImportSourceSpecification", "{InputFormat: CSV}"),
        ("AWS::Serverless::Function", "FileSystemConfigs", "[{Arn: a}]"),
    ],
)
def test_a_property_without_which_records_would_be_missing_is_named(tmp_path, kind, name, value):
    path = tmp_path / "t.yaml"
    path.write_text(
        f"Resources:\n  Mine:\n    Type: {kind}\n    Properties:\n      {name}: {value}\n  Other: {{Type: AWS::SQS::Queue}}\n"
    )
    (found,) = unsupported(read_template(path), {}, ALL, strict=False)
    assert (found.name, found.line, found.ignorable) == (f"Mine.{name}", 5, True)


def test_a_delivery_stream_to_anything_but_s3_is_named_and_cannot_be_ignored(tmp_path):
    path = tmp_path / "t.yaml"
    stream = "{Type: AWS::KinesisFirehose::DeliveryStream, Properties: {%s: {}}}"
    names = ("ExtendedS3DestinationConfiguration", "HttpEndpointDestinationConfiguration", "KinesisStreamSourceConfiguration")
    path.write_text("Resources:\n" + "".join(f"  S{number}: {stream % name}\n" for number, name in enumerate(names)))
    (found,) = unsupported(read_template(path), {}, ALL, strict=False)
    assert (found.name, found.line, found.ignorable) == ("S1.HttpEndpointDestinationConfiguration", 3, False)
