"""EventBridge Pipes: sources, filters, enrichment and targets."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until

PIPES = "eventbridge/latest/userguide/eb-pipes.html"


@pytest.fixture
def pipe(clients):
    def create(source, target, **options):
        clients("pipes").create_pipe(
            Name="pipe", Source=source, Target=target, RoleArn=f"arn:aws:iam::{clients.account}:role/pipe", **options
        )
        wait_until(lambda: clients("pipes").describe_pipe(Name="pipe")["CurrentState"] == "RUNNING", "the pipe to run", 30)

    return create


@pytest.mark.rule(PIPES)
def test_a_pipe_moves_messages_of_a_queue(clients, queue, pipe):
    """A pipe delivers the messages of a queue to its target, and deletes them."""
    source, rest = queue("in")
    target, bodies = queue("out")
    pipe(source, target, SourceParameters={"SqsQueueParameters": {"BatchSize": 1}})
    clients("sqs").send_message(QueueUrl=clients("sqs").get_queue_url(QueueName="in")["QueueUrl"], MessageBody="hello")
    message = json.loads(wait_until(bodies, "the message", 20)[0])
    assert message["body"] == "hello"
    assert rest() == []


@pytest.mark.rule("eventbridge/latest/userguide/eb-pipes-event-filtering.html")
def test_a_pipe_filters(clients, queue, pipe):
    """A pipe passes on what matches its filter, and drops the rest."""
    source, _ = queue("in")
    target, bodies = queue("out")
    pattern = json.dumps({"body": {"kind": ["buy"]}})
    pipe(
        source,
        target,
        SourceParameters={"SqsQueueParameters": {"BatchSize": 1}, "FilterCriteria": {"Filters": [{"Pattern": pattern}]}},
    )
    url = clients("sqs").get_queue_url(QueueName="in")["QueueUrl"]
    for body in ('{"kind": "look"}', '{"kind": "buy"}'):
        clients("sqs").send_message(QueueUrl=url, MessageBody=body)
    assert [json.loads(body)["body"] for body in wait_until(bodies, "the message", 20)] == ['{"kind": "buy"}']


@pytest.mark.rule("eventbridge/latest/userguide/pipes-enrichment.html")
def test_a_pipe_enriches(clients, queue, pipe, functions):
    """A pipe's enrichment function gets the batch, and what it returns goes to the target."""
    source, _ = queue("in")
    target, bodies = queue("out")
    functions.create("enrich", "def handler(event, context):\n    return [{'seen': e['body']} for e in event]\n")
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:enrich"
    pipe(source, target, Enrichment=arn, SourceParameters={"SqsQueueParameters": {"BatchSize": 1}})
    clients("sqs").send_message(QueueUrl=clients("sqs").get_queue_url(QueueName="in")["QueueUrl"], MessageBody="hello")
    assert json.loads(wait_until(bodies, "the message", 30)[0]) == {"seen": "hello"}


@pytest.mark.rule("eventbridge/latest/userguide/eb-pipes-event-target.html")
def test_a_pipe_sends_to_an_event_bus(clients, queue, pipe, rule):
    """A pipe puts each record of a batch onto an event bus, also of a batch that is larger than PutEvents takes."""
    bodies = rule({"source": ["Pipe pipe"]})
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="source", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="source", WaiterConfig={"Delay": 1})
    kinesis.put_records(StreamName="source", Records=[{"Data": b"{}", "PartitionKey": "k"} for _ in range(25)])
    arns = [
        f"arn:aws:{of.format(clients.account)}"
        for of in ("kinesis:us-east-1:{}:stream/source", "events:us-east-1:{}:event-bus/default")
    ]
    pipe(*arns, SourceParameters={"KinesisStreamParameters": {"StartingPosition": "TRIM_HORIZON", "BatchSize": 25}})
    found = wait_until(lambda: len(bodies()) >= 25 and bodies(), "25 events")
    assert len(found) == 25


@pytest.mark.rule("eventbridge/latest/userguide/eb-pipes-batching-concurrency.html")
def test_a_target_fails_a_part_of_a_batch(clients, pipe, functions, note, seen):
    """The records that a function names in batchItemFailures are sent again, the others are not."""
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="source", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    for body in ("good", "bad"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    source = """
def handler(event, context):
    note([one["body"] for one in event])
    return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in event if one["body"] == "bad"]}
"""
    functions.create("target", note + source)
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:target"
    pipe(f"arn:aws:sqs:us-east-1:{clients.account}:source", arn, SourceParameters={"SqsQueueParameters": {"BatchSize": 10}})
    wait_until(lambda: sum(bodies.count("bad") for bodies in seen()) >= 2, "the second attempt")
    assert sum(bodies.count("good") for bodies in seen()) == 1


@pytest.mark.rule("eventbridge/latest/userguide/eb-pipes-kinesis.html")
def test_a_pipe_reads_a_stream(clients, queue, pipe):
    """A pipe delivers the records of a Kinesis stream to its target."""
    target, bodies = queue("out")
    clients("kinesis").create_stream(StreamName="stream", ShardCount=1)
    clients("kinesis").get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    arn = f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream"
    pipe(arn, target, SourceParameters={"KinesisStreamParameters": {"StartingPosition": "TRIM_HORIZON", "BatchSize": 1}})
    clients("kinesis").put_record(StreamName="stream", Data=b"hello", PartitionKey="k")
    record = json.loads(wait_until(bodies, "the record", 20)[0])
    assert (record["partitionKey"], record["data"], record["eventSource"]) == ("k", "aGVsbG8=", "aws:kinesis")


@pytest.mark.rule("eventbridge/latest/userguide/eb-pipes-dynamodb.html")
def test_a_pipe_reads_a_dynamodb_stream(clients, queue, pipe):
    """A pipe delivers the records of a DynamoDB stream to its target."""
    target, bodies = queue("out")
    table = clients("dynamodb").create_table(
        TableName="table", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )  # fmt: skip
    stream = table["TableDescription"]["LatestStreamArn"]
    pipe(stream, target, SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON", "BatchSize": 1}})
    clients("dynamodb").put_item(TableName="table", Item={"id": {"S": "1"}})
    record = json.loads(wait_until(bodies, "the record", 20)[0])
    assert record["eventName"] == "INSERT"
