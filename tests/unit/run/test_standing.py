"""Which scenarios and calls leave nothing that the next schedule of a search would find."""

from __future__ import annotations

from types import SimpleNamespace

import botocore.session
import pytest

from harness.run.standing import _CHANGES, leaves_nothing, may_stand


@pytest.mark.parametrize(
    "call",
    [
        "s3.GetObject", "s3.PutObject", "s3.DeleteObjects", "s3.HeadObject", "s3.SelectObjectContent", "s3.UploadPartCopy", "dynamodb.BatchGetItem", "dynamodb.TransactWriteItems",
        "dynamodb.ExecuteStatement", "sqs.SendMessageBatch", "sqs.ReceiveMessage", "kinesis.PutRecords", "lambda.Invoke", "stepfunctions.SendTaskSuccess", "ssm.GetParameter",
        "secretsmanager.GetSecretValue", "glue.GetPartitions", "ses.SendRawEmail",
    ],
)  # fmt: skip
def test_reads_and_what_is_emptied_or_passed_on_leave_nothing(call):
    assert leaves_nothing(call)


@pytest.mark.parametrize(
    "call",
    [
        "ssm.PutParameter", "glue.CreatePartition", "athena.StartQueryExecution", "events.PutRule", "lambda.UpdateFunctionConfiguration", "lambda.PutFunctionConcurrency",
        "s3.PutBucketNotificationConfiguration", "sqs.SetQueueAttributes", "sqs.CreateQueue", "dynamodb.UpdateTable", "dynamodb.UpdateTimeToLive", "sns.Subscribe",
        "stepfunctions.UpdateStateMachine", "cloudwatch.PutMetricAlarm", "kinesis.UpdateShardCount", "scheduler.CreateSchedule", "",
    ],
)  # fmt: skip
def test_what_changes_something_else_does_not(call):
    assert not leaves_nothing(call)


def test_each_operation_is_one():
    session = botocore.session.get_session()
    for service, beginnings in _CHANGES.items():
        operations = session.get_service_model(service).operation_names
        for beginning in beginnings:
            assert any(name.startswith(beginning) for name in operations), f"{service}.{beginning}"


def scenario(checks=(), actors=(), parameters=None, secrets=None):
    parts = {"checks": [SimpleNamespace(kind=kind) for kind in checks], "actors": [SimpleNamespace(kind=kind) for kind in actors]}
    return SimpleNamespace(**parts, setup=SimpleNamespace(parameters=parameters or {}, secrets=secrets or {}))


@pytest.mark.parametrize("given", [{}, {"checks": ["sql", "archive"]}, {"actors": ["approve", "redrive", "tick"]}])
def test_a_stack_may_serve_several_runs_of_a_scenario_that_looks_at_stores_alone(given):
    assert may_stand(scenario(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"checks": ["sql", "alarm"]}, {"checks": ["email"]}, {"checks": [""]}, {"actors": ["deploy"]}, {"actors": ["redrive", ""]}, {"parameters": {"/limit": "1"}},
        {"secrets": {"shop": "x"}},
    ],
)  # fmt: skip
def test_what_stays_elsewhere_asks_for_a_new_stack_each_time(given):
    """A part of the user's own has no kind."""
    assert not may_stand(scenario(**given))
