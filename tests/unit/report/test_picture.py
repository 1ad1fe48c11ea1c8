"""The flowchart of a template."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.report.picture import lines

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  In: {Type: AWS::SQS::Queue, Properties: {RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3}}}
  Dead: {Type: AWS::SQS::Queue}
  Events: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Failed: {Type: AWS::SQS::Queue}
  Kept: {Type: AWS::S3::Bucket}
  Unused: {Type: AWS::SNS::Topic}
  Take:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      InlineCode: ""
      Handler: index.handler
      Policies: [{S3CrudPolicy: {BucketName: !Ref Kept}}]
      Events: {Queue: {Type: SQS, Properties: {Queue: !GetAtt In.Arn}}}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Take
      EventSourceArn: !GetAtt Events.Arn
      StartingPosition: LATEST
      DestinationConfig: {OnFailure: {Destination: !GetAtt Failed.Arn}}
"""


@pytest.fixture
def drawn(tmp_path):
    """Returns a function: the lines of the flowchart of a template."""

    def of(text):
        (tmp_path / "template.yaml").write_text(text)
        return list(lines(tmp_path / "template.yaml"))

    return of


def test_who_feeds_whom_who_writes_where_and_what_takes_what_was_given_up(drawn):
    assert drawn(TEMPLATE) == [
        "flowchart LR",
        '  In[/"In<br/>queue"/]',
        '  Dead[/"Dead<br/>queue"/]',
        '  Events(["Events<br/>stream"])',
        '  Failed[/"Failed<br/>queue"/]',
        '  Kept[("Kept<br/>bucket")]',
        '  Take["Take<br/>function"]',
        "  In -- sqs --> Take",
        "  Events -- mapping --> Take",
        "  Take --> Kept",
        "  In -. given up .-> Dead",
        "  Take -. given up .-> Failed",
    ]


def test_a_stack_whose_resources_have_nothing_to_do_with_each_other_is_told(drawn):
    with pytest.raises(UsageError, match="nothing to draw"):
        drawn("Resources: {A: {Type: AWS::SQS::Queue}, B: {Type: AWS::S3::Bucket}}")
