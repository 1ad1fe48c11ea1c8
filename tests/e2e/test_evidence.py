"""No pass without evidence: runs that once passed although nothing, or too little, had been shown."""

from __future__ import annotations

import pytest
import yaml

from tests.e2e.commands import ROOT

SYNTHETIC = {"kind": "synthetic", "records": 20, "id": "id", "fields": {"id": {"type": "uuid"}, "name": {"type": "name"}}}
BUCKET = """
Resources:
  Bucket: {Type: AWS::S3::Bucket}
  Queue: {Type: AWS::SQS::Queue}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
Outputs:
  Bucket: {Value: !Ref Bucket}
  Queue: {Value: !Ref Queue}
  Table: {Value: !Ref Table}
"""


def scenario(tmp_path, send, probe, *, source=None, template=None, parameters=None, **more):
    (tmp_path / "template.yaml").write_text(BUCKET)
    document = {
        "description": "A project of somebody's own.",
        "stack": {"template": str(template or "template.yaml"), "parameters": parameters or {}},
        "source": source if "kind" in (source or {}) else {**SYNTHETIC, **(source or {})},
        "send": send,
        "probes": [probe],
        **more,
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document))
    return "mine.yaml"


@pytest.mark.parametrize(
    ("send", "probe", "source"),
    [
        (
            {"to": "s3", "bucket": "${outputs.Bucket}"},
            {"kind": "s3", "bucket": "${outputs.Bucket}", "id": "id"},
            {"format": "ndjson"},
        ),
        ({"to": "s3", "bucket": "${outputs.Bucket}"}, {"kind": "s3", "bucket": "${outputs.Bucket}", "id": "id"}, {}),
        ({"to": "sqs", "queue_url": "${outputs.Queue}"}, {"kind": "sqs", "queue_url": "${outputs.Queue}", "id": "id"}, {}),
        ({"to": "dynamodb", "table": "${outputs.Table}"}, {"kind": "dynamodb", "table": "${outputs.Table}", "id": "id"}, {}),
    ],
    ids=["files", "objects", "messages", "items"],
)
def test_without_any_pipeline_what_the_load_has_put_is_lost(tmp_path, run, send, probe, source):
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, probe, source=source))
    assert code == 1, output
    assert (result["outcome"]["stored"], result["anomalies"]["lost"]) == (0, 20)
    assert "seen only where the load itself had put it" in output


@pytest.mark.parametrize(
    "send",
    [
        {"to": "kinesis", "stream": "nowhere"},
        {"to": "api", "url": "${endpoint}/_aws/execute-api/nowhere/v1/events"},
        {"to": "s3", "bucket": "nowhere"},
        {"to": "sqs", "queue_url": "${endpoint}/000000000000/nowhere"},
    ],
    ids=lambda send: send["to"],
)
def test_a_load_of_poison_that_a_way_to_nowhere_refuses_is_unknown(tmp_path, run, send):
    poison = {"kind": "clickstream", "records": 20, "malformed": {"share": 1.0, "kinds": ["missing_field"]}}
    probe = {"kind": "s3", "bucket": "${outputs.Bucket}", "id": "id"}
    code, output, result = run(tmp_path, "run", scenario(tmp_path, send, probe, source=poison))
    assert code == 2, output
    assert result["outcome"]["rejected"] == 20
    assert result["reasons"][0].startswith("20 malformed records were refused for a reason that is not theirs (")
    assert "every record of the load is malformed" in result["reasons"][1]


BY_CLOCK = ROOT / "tests" / "e2e" / "by_clock" / "template.yaml"


def by_clock(tmp_path, *, parameters=None, **more):
    send = {"to": "sqs", "queue_url": "${outputs.Queue}"}
    probe = {"kind": "dynamodb", "table": "${outputs.Table}", "id": "id"}
    parameters = {"PythonRuntime": "${emulator.python_runtime}", **(parameters or {})}
    return scenario(tmp_path, send, probe, template=BY_CLOCK, parameters=parameters, source={"records": 25}, **more)


def test_what_works_by_a_schedule_is_not_called_lossy(tmp_path, run):
    """Three ticks are needed, and one more that changes nothing."""
    code, output, result = run(tmp_path, "run", by_clock(tmp_path))
    assert code == 0, output
    assert result["outcome"]["stored"] == 25
    assert "(rate(1 hour)), round 4" in output
    code, output, result = run(tmp_path, "run", by_clock(tmp_path, schedules={"fire": False}))
    assert code == 2, output
    assert result["reasons"][0].startswith("not fired, and may still change what is stored: ")


def test_what_a_schedule_removes_again_is_not_called_safe(tmp_path, run):
    code, output, result = run(tmp_path, "run", by_clock(tmp_path, parameters={"Wiping": "ENABLED"}))
    assert code == 1, output
    assert result["anomalies"]["lost"] > 0
    assert "-wipe (rate(12 hours)), round 1" in output


def test_a_schedule_that_always_changes_something_is_a_doubt_until_it_is_ignored(tmp_path, run):
    code, output, result = run(tmp_path, "run", by_clock(tmp_path, parameters={"Beating": "ENABLED"}, schedules={"rounds": 6}))
    assert code == 2, output
    assert "still change something after 6 rounds" in result["reasons"][0]
    code, output, result = run(
        tmp_path, "run", by_clock(tmp_path, parameters={"Beating": "ENABLED"}, schedules={"ignore": ["*-beat"]})
    )
    assert code == 0, output


def test_what_expires_in_a_minute_is_not_called_safe(tmp_path, run):
    code, output, result = run(tmp_path, "run", by_clock(tmp_path, parameters={"Expiring": "yes"}))
    assert code == 2, output
    assert "25 items of table" in result["reasons"][0]
    assert "expire by goneAt" in result["reasons"][0]
    code, output, _ = run(tmp_path, "run", by_clock(tmp_path, parameters={"Expiring": "yes"}, kept_for_hours=0.001))
    assert code == 0, output
