"""The pictures of a template: a flowchart, and SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.report.diagram import svg
from harness.report.picture import Edge, Node, mermaid, picture

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
        return list(mermaid(*picture(tmp_path / "template.yaml")))

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


NAMES = ["A", "Bee & <Co>", "C", "D", "E", "F"]
EDGES = st.lists(
    st.builds(Edge, st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(["", "sqs"]), st.booleans()),
    max_size=12,
)


@given(EDGES)
def test_in_svg_every_resource_and_every_edge_is_drawn_once_and_no_two_resources_overlap(edges):
    nodes = [Node(name, "queue", "3 stored") for name in NAMES]
    drawn = ET.fromstring("\n".join(svg(nodes, edges)))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [[float(box.get(name)) for name in ("x", "y", "width", "height")] for box in drawn.iter(f"{space}rect") if box.get("x")]
    assert len(boxes) == len(NAMES)
    width, height = float(drawn.get("width")), float(drawn.get("height"))
    for place, (x, y, wide, high) in enumerate(boxes):
        assert x >= 0
        assert x + wide <= width
        assert y >= 0
        assert y + high <= height
        assert all(x + wide <= a or a + c <= x or y + high <= b or b + d <= y for a, b, c, d in boxes[place + 1 :])
    assert len([path for path in drawn.iter(f"{space}path") if "edge" in (path.get("class") or "")]) == len(edges)
    names = [text.text for text in drawn.iter(f"{space}text") if text.get("class") == "name"]
    assert names == NAMES
    # Where there is no circle, everything goes to the right.
    if all(NAMES.index(edge.source) < NAMES.index(edge.target) for edge in edges):
        left = dict(zip(NAMES, (box[0] for box in boxes), strict=True))
        assert all(left[edge.source] < left[edge.target] for edge in edges)
