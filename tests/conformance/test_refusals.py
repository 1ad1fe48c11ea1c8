"""Requests that AWS refuses for what is in them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

SQS = "AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"


def refused(call, **options):
    """The code of a call that fails."""
    with pytest.raises(ClientError) as error:
        call(**options)
    return error.value.response["Error"]["Code"]


@pytest.fixture
def sqs(clients):
    return clients("sqs")


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="q")["QueueUrl"]


@pytest.mark.rule(SQS)
@pytest.mark.parametrize(
    ("name", "value"),
    [("VisibilityTimeout", 43201), ("MessageRetentionPeriod", 59), ("DelaySeconds", 901), ("MaximumMessageSize", 1023), ("ReceiveMessageWaitTimeSeconds", 21)],
)  # fmt: skip
def test_an_attribute_of_a_queue_is_in_its_range(sqs, url, name, value):
    """A queue's attributes have the ranges that SetQueueAttributes documents."""
    assert refused(sqs.create_queue, QueueName="other", Attributes={name: str(value)}) == "InvalidAttributeValue"
    assert refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={name: str(value)}) == "InvalidAttributeValue"


@pytest.mark.rule("AWSSimpleQueueService/latest/APIReference/API_SendMessage.html")
def test_a_message_is_delayed_by_15_minutes_at_most(sqs, url):
    """DelaySeconds is 900 at most; in a batch only the message that has more fails."""
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="m", DelaySeconds=901) == "InvalidParameterValue"
    entries = [{"Id": "good", "MessageBody": "m"}, {"Id": "bad", "MessageBody": "m", "DelaySeconds": 901}]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert ([one["Id"] for one in answer["Successful"]], [one["Id"] for one in answer["Failed"]]) == (["good"], ["bad"])


@pytest.mark.rule("AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html")
def test_a_message_is_hidden_for_12_hours_at_most(sqs, url):
    """VisibilityTimeout is 43,200 at most."""
    assert refused(sqs.receive_message, QueueUrl=url, VisibilityTimeout=43201) == "InvalidParameterValue"
    sqs.send_message(QueueUrl=url, MessageBody="m")
    handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    assert (
        refused(sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=43201)
        == "InvalidParameterValue"
    )
    entry = {"Id": "1", "ReceiptHandle": handle, "VisibilityTimeout": 43201}
    assert [one["Id"] for one in sqs.change_message_visibility_batch(QueueUrl=url, Entries=[entry])["Failed"]] == ["1"]


@pytest.mark.rule("AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html")
def test_a_visible_message_is_not_in_flight(sqs, url):
    """The visibility of a message that is not in flight cannot be changed: its worker comes too late."""
    sqs.send_message(QueueUrl=url, MessageBody="m")
    handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
    code = refused(sqs.change_message_visibility, QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=30)
    assert code in {"MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"}


@pytest.mark.rule("sns/latest/api/API_PublishBatch.html")
def test_a_batch_of_sns(clients):
    """A batch has entries, and each of them a message; an attribute of type Number is a number."""
    sns = clients("sns")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    number = {"n": {"DataType": "Number", "StringValue": "abc"}}
    assert refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=[]) == "EmptyBatchRequest"
    entries = [{"Id": "1", "Message": "m"}, {"Id": "2", "Message": ""}]
    assert refused(sns.publish_batch, TopicArn=topic, PublishBatchRequestEntries=entries) == "InvalidParameter"
    assert refused(sns.publish, TopicArn=topic, Message="m", MessageAttributes=number) == "InvalidParameterValue"


@pytest.mark.rule("lambda/latest/api/API_CreateEventSourceMapping.html")
@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("queue", {"BisectBatchOnFunctionError": True}),
        ("queue", {"MaximumRetryAttempts": 1}),
        ("queue", {"StartingPosition": "LATEST"}),
        ("queue.fifo", {"MaximumBatchingWindowInSeconds": 1}),
        ("queue", {"FilterCriteria": {"Filters": [{"Pattern": "{}"}] * 6}}),
        ("stream", {"StartingPosition": "LATEST", "ScalingConfig": {"MaximumConcurrency": 2}}),
        ("stream", {"StartingPosition": "AT_TIMESTAMP"}),
        ("stream", {"StartingPosition": "LATEST", "MaximumRecordAgeInSeconds": 59}),
    ],
)
def test_a_mapping_has_the_options_of_its_source(clients, functions, sqs, source, options):
    """Options of streams are refused for a queue, and the other way round; those of streams have bounds."""
    functions.create("f", "def handler(event, context):\n    pass\n")
    if source == "stream":
        clients("kinesis").create_stream(StreamName="s", ShardCount=1)
        arn = f"arn:aws:kinesis:us-east-1:{clients.account}:stream/s"
    else:
        sqs.create_queue(QueueName=source, Attributes={"FifoQueue": "true"} if source.endswith(".fifo") else {})
        arn = f"arn:aws:sqs:us-east-1:{clients.account}:{source}"
    call = clients("lambda").create_event_source_mapping
    assert refused(call, FunctionName="f", EventSourceArn=arn, **options) == "InvalidParameterValueException"


@pytest.mark.rule("lambda/latest/dg/configuration-envvars.html")
def test_variables_of_lambda_are_its_own(functions):
    """Variables that Lambda sets cannot be set."""
    environment = {"Variables": {"AWS_REGION": "eu-west-1"}}
    call, source = functions.create, "def handler(event, context):\n    pass\n"
    assert refused(call, name="f", source=source, Environment=environment) == "InvalidParameterValueException"


@pytest.fixture
def bucket(clients):
    name = f"bucket-{clients.account}"
    clients("s3").create_bucket(Bucket=name)
    return name


@pytest.mark.rule("AmazonS3/latest/API/API_DeleteObjects.html")
def test_a_thousand_objects_are_deleted_at_once_at_most(clients, bucket):
    """DeleteObjects takes a thousand keys."""
    keys = [{"Key": str(n)} for n in range(1001)]
    assert refused(clients("s3").delete_objects, Bucket=bucket, Delete={"Objects": keys}) == "MalformedXML"


@pytest.mark.rule("AmazonS3/latest/userguide/UsingMetadata.html")
def test_metadata_and_tags_are_bounded(clients, bucket):
    """User metadata have 2 KB, tags are ten."""
    put = clients("s3").put_object
    assert refused(put, Bucket=bucket, Key="k", Metadata={"m": "x" * 2048}) == "MetadataTooLarge"
    assert refused(put, Bucket=bucket, Key="k", Tagging="&".join(f"t{n}=v" for n in range(11))) == "BadRequest"


@pytest.mark.rule("AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html")
def test_a_notification_names_an_event(clients, bucket, sqs, url):
    """An event type that S3 does not have is refused."""
    told = {"QueueConfigurations": [{"QueueArn": f"arn:aws:sqs:us-east-1:{clients.account}:q", "Events": ["s3:ObjectMade:*"]}]}
    put = clients("s3").put_bucket_notification_configuration
    assert refused(put, Bucket=bucket, NotificationConfiguration=told) in {"InvalidArgument", "MalformedXML"}


@pytest.mark.rule("scheduler/latest/APIReference/API_CreateSchedule.html")
@pytest.mark.parametrize(
    "options",
    [
        {"ScheduleExpression": "rate(0 minutes)"},
        {"ScheduleExpressionTimezone": "Europe/Nowhere"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
        {"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 5}},
    ],
)
def test_a_schedule_that_would_never_start(clients, options):
    """A rate of nothing, a time zone that is none and a window without its maximum are refused."""
    target = {"Arn": f"arn:aws:sqs:us-east-1:{clients.account}:q", "RoleArn": f"arn:aws:iam::{clients.account}:role/r"}
    usual = {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    assert refused(clients("scheduler").create_schedule, Name="s", **{**usual, **options}) == "ValidationException"


@pytest.mark.rule("eventbridge/latest/APIReference/API_PutEvents.html")
def test_events_in_the_name_of_aws(clients):
    """An entry whose source begins with aws. fails, and the others do not."""
    entries = [{"Source": source, "DetailType": "d", "Detail": "{}"} for source in ("app", "aws.s3")]
    answer = clients("events").put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 1
    assert [one.get("ErrorCode") for one in answer["Entries"]] == [None, "NotAuthorizedForSourceException"]


@pytest.mark.rule("AmazonCloudWatch/latest/APIReference/API_MetricDatum.html")
@pytest.mark.parametrize(
    "datum", [{"Value": float("nan")}, {"Value": 1, "Timestamp": datetime.now(UTC) - timedelta(days=15)}, {"Value": 1, "Timestamp": datetime.now(UTC) + timedelta(hours=3)}],
    ids=["no number", "too old", "too new"],
)  # fmt: skip
def test_a_value_of_a_metric(clients, datum):
    """A metric's value is a number, of the last two weeks or the next two hours."""
    put = clients("cloudwatch").put_metric_data
    assert refused(put, Namespace="N", MetricData=[{"MetricName": "m", **datum}]) == "InvalidParameterValue"


@pytest.mark.rule("AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html")
@pytest.mark.parametrize(
    "events", [[(24 * 3600 * 1000 + 1, "old"), (0, "new")], [(0, "x" * 200_000)] * 6], ids=["25 hours", "over 1 MiB"]
)
def test_a_batch_of_log_events(clients, events):
    """A batch of log events spans 24 hours and has 1,048,576 bytes at most."""
    logs, now = clients("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    batch = [{"timestamp": now - ago, "message": text} for ago, text in events]
    assert refused(logs.put_log_events, logGroupName="g", logStreamName="s", logEvents=batch) == "InvalidParameterException"


@pytest.mark.rule("AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html")
def test_days_of_retention(clients):
    """Log groups are kept for a number of days out of a list."""
    clients("logs").create_log_group(logGroupName="g")
    assert refused(clients("logs").put_retention_policy, logGroupName="g", retentionInDays=2) == "InvalidParameterException"


PASS = '{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}'


@pytest.mark.rule("step-functions/latest/dg/service-quotas.html")
def test_an_input_has_256_kib_at_most(clients):
    """The input of an execution has 262,144 bytes at most."""
    client = clients("stepfunctions")
    arn = client.create_state_machine(name="m", definition=PASS, roleArn=f"arn:aws:iam::{clients.account}:role/r")[
        "stateMachineArn"
    ]
    text = f'"{"x" * 262_142}"'
    client.start_execution(stateMachineArn=arn, input=text)
    assert refused(client.start_execution, stateMachineArn=arn, input=f"{text} ") == "ValidationException"
