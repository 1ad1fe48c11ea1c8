"""Faults on the calls that the emulator makes for a pipeline: polls of queues, deliveries of Firehose, of pipes and of rules. Nothing is lost, and
rest is not claimed before all has come."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from harness.run.drain import drain
from tests.conformance.functions import wait_until
from tests.e2e.plans import arm, fired, queue

NOTES = """
import boto3, json
sqs = boto3.client("sqs")
def handler(event, context):
    url = sqs.get_queue_url(QueueName="seen")["QueueUrl"]
    for record in event["Records"]:
        sqs.send_message(QueueUrl=url, MessageBody=record["body"])
"""
BODIES = [f"message-{number}" for number in range(6)]


def received(clients, url):
    """How often each body is in a queue, without taking it out."""
    found = Counter()
    while messages := clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
        found.update(message["Body"] for message in messages)
    return found


def rested(clients):
    """Waits for rest as a run does: one look may come while a message goes from one place to another."""
    *_, rest = drain(clients.endpoint, clients.account, 90, lambda: None)
    assert rest.known, rest.doubt


@pytest.fixture
def consumer(clients, functions):
    """A queue with a dead-letter queue, and a function on it that notes what it gets in the queue `seen`."""
    seen, dead = queue(clients, "seen"), queue(clients, "dead")
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{clients.account}:dead", "maxReceiveCount": 3}
    attributes = {"VisibilityTimeout": "4", "RedrivePolicy": json.dumps(redrive)}
    url = clients("sqs").create_queue(QueueName="input", Attributes=attributes)["QueueUrl"]
    functions.create("consumer", NOTES, Timeout=4)
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:input"
    clients("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="consumer", BatchSize=2)
    return url, seen, dead


@pytest.mark.parametrize("kind", ["throttle", "error", "reply_lost"])
def test_a_poll_of_a_queue_that_fails_is_made_again(clients, gateway, consumer, kind):
    url, seen, dead = consumer
    arm(
        gateway,
        {
            "kind": kind,
            "service": "sqs",
            "operation": "ReceiveMessage",
            "caller": "localstack",
            "resource": "input",
            "calls": "1-2",
        },
    )
    for body in BODIES:
        clients("sqs").send_message(QueueUrl=url, MessageBody=body)
    wait_until(lambda: sum(fired(gateway).values()) == 2, "both polls to fail")
    rested(clients)
    # Both at once: where a message is missing, it is told whether it was given up.
    ended = {"seen": received(clients, seen), "dead": received(clients, dead)}
    assert ended == {"seen": Counter(BODIES), "dead": Counter()}, "once each: nobody has got the messages of a lost answer"


@pytest.mark.parametrize("kind", ["throttle", "error", "reply_lost"])
def test_a_batch_that_could_not_be_deleted_is_not_forgotten(clients, gateway, consumer, kind):
    url, seen, dead = consumer
    arm(gateway, {"kind": kind, "service": "sqs", "operation": "DeleteMessageBatch", "caller": "localstack", "calls": "1-2"})
    for body in BODIES:
        clients("sqs").send_message(QueueUrl=url, MessageBody=body)
    wait_until(lambda: sum(fired(gateway).values()) == 2, "both calls to fail")
    rested(clients)
    assert set(received(clients, seen)) == set(BODIES)
    assert not received(clients, dead)


@pytest.fixture
def stream(clients):
    """A delivery stream, and the lines of its bucket."""
    bucket = f"lake-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)

    def create(**options):
        clients("firehose").create_delivery_stream(
            DeliveryStreamName="stream",
            ExtendedS3DestinationConfiguration={
                "RoleARN": f"arn:aws:iam::{clients.account}:role/firehose", "BucketARN": f"arn:aws:s3:::{bucket}",
                "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 1}, **options,
            },
        )  # fmt: skip
        ask = clients("firehose").describe_delivery_stream
        wait_until(
            lambda: ask(DeliveryStreamName="stream")["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE", "the stream"
        )

    def lines():
        found = Counter()
        for one in clients("s3").list_objects_v2(Bucket=bucket).get("Contents", []):
            found.update(clients("s3").get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode().split())
        return found

    create.lines = lines
    return create


def put(clients):
    records = [{"Data": f"{body}\n".encode()} for body in BODIES]
    assert clients("firehose").put_record_batch(DeliveryStreamName="stream", Records=records)["FailedPutCount"] == 0


@pytest.mark.parametrize("kind", ["throttle", "error", "reply_lost"])
def test_a_delivery_of_firehose_that_is_refused_is_made_again(clients, gateway, stream, kind):
    stream()
    arm(gateway, {"kind": kind, "service": "s3", "operation": "PutObject", "caller": "localstack", "calls": "1-2"})
    put(clients)
    wait_until(lambda: sum(fired(gateway).values()), "a delivery to fail", 20)
    rested(clients)
    lines = stream.lines()
    assert set(lines) == set(BODIES)
    assert kind == "reply_lost" or lines == Counter(BODIES), "only a delivery whose answer is lost is made twice"


def test_a_transformation_that_is_throttled_is_tried_again(clients, gateway, stream, functions):
    functions.create(
        "transform",
        "def handler(event, context):\n    return {'records': [{**r, 'result': 'Ok'} for r in event['records']]}\n",
        Timeout=10,
    )
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:transform"
    processor = {"Type": "Lambda", "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": arn}]}
    stream(ProcessingConfiguration={"Enabled": True, "Processors": [processor]})
    arm(gateway, {"kind": "lambda_throttled", "function": "transform", "invocations": "1"})
    put(clients)
    wait_until(lambda: sum(fired(gateway).values()) == 1, "the transformation to be throttled")
    rested(clients)
    assert stream.lines() == Counter(BODIES)


@pytest.mark.parametrize("kind", ["throttle", "error"])
def test_a_rule_delivers_again_what_its_target_refuses(clients, gateway, kind):
    url = queue(clients)
    clients("events").put_rule(Name="rule", EventPattern=json.dumps({"source": ["app"]}))
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:queue"
    clients("events").put_targets(Rule="rule", Targets=[{"Id": "q", "Arn": arn, "InputPath": "$.detail.n"}])
    arm(gateway, {"kind": kind, "service": "sqs", "operation": "SendMessage", "caller": "localstack", "calls": "1-6"})
    clients("events").put_events(Entries=[{"Source": "app", "DetailType": "d", "Detail": '{"n": 7}'}])
    wait_until(lambda: sum(fired(gateway).values()), "a delivery to fail", 20)
    rested(clients)
    assert received(clients, url) == Counter(["7"])


@pytest.mark.parametrize("kind", ["throttle", "error"])
def test_a_pipe_delivers_again_what_its_target_refuses(clients, gateway, kind):
    source, target = queue(clients, "from"), queue(clients, "to")
    arns = [f"arn:aws:sqs:us-east-1:{clients.account}:{name}" for name in ("from", "to")]
    clients("pipes").create_pipe(
        Name="pipe", Source=arns[0], Target=arns[1], RoleArn=f"arn:aws:iam::{clients.account}:role/pipe",
        SourceParameters={"SqsQueueParameters": {"BatchSize": 1}}, TargetParameters={"InputTemplate": "<$.body>"},
    )  # fmt: skip
    clients("sqs").set_queue_attributes(QueueUrl=source, Attributes={"VisibilityTimeout": "2"})
    wait_until(lambda: clients("pipes").describe_pipe(Name="pipe")["CurrentState"] == "RUNNING", "the pipe to run", 30)
    arm(
        gateway,
        {"kind": kind, "service": "sqs", "operation": "SendMessage", "resource": "to", "caller": "localstack", "calls": "1-6"},
    )
    for body in BODIES:
        clients("sqs").send_message(QueueUrl=source, MessageBody=body)
    wait_until(lambda: sum(fired(gateway).values()), "a delivery to fail", 20)
    rested(clients)
    assert set(received(clients, target)) == set(BODIES)
