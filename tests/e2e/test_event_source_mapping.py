"""Kinesis event source mappings lose nothing: retries, partial batch response, bisecting, failure destination, resharding."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until

# Writes what it processes to a table, in order; fails as its environment says.
CONSUMER = """
import base64, boto3, os, time
table = boto3.client("dynamodb")
def handler(event, context):
    numbers = [(r["kinesis"]["sequenceNumber"], base64.b64decode(r["kinesis"]["data"]).decode()) for r in event["Records"]]
    attempts = int(table.update_item(TableName="seen", Key={"id": {"S": "attempts"}}, UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}}, ReturnValues="UPDATED_NEW")["Attributes"]["n"]["N"])
    for sequence, data in numbers:
        bad = data == os.environ.get("POISON")
        if bad and (os.environ["MODE"] == "always" or attempts <= 2):
            if os.environ["REPORT"] == "partial":
                return {"batchItemFailures": [{"itemIdentifier": sequence}]}
            raise ValueError("poison")
        table.update_item(TableName="seen", Key={"id": {"S": data}}, UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}})
    return {"batchItemFailures": []}
"""


@pytest.fixture
def pipeline(clients, functions):
    """A stream, a function on it, a table of what it saw, and a queue for what failed."""
    clients("dynamodb").create_table(
        TableName="seen",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    queue = clients("sqs").create_queue(QueueName="failed")["QueueUrl"]
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="stream", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})

    def connect(variables, **mapping):
        functions.create("consumer", CONSUMER, Timeout=30, Environment={"Variables": {"POISON": "p", **variables}})
        clients("lambda").create_event_source_mapping(
            EventSourceArn=f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream",
            FunctionName="consumer",
            StartingPosition="TRIM_HORIZON",
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{clients.account}:failed"}},
            **mapping,
        )
        return queue

    return connect


def put(clients, *data):
    """Before a mapping reads the stream, where they are to be one batch: the records of one call become readable one after the other."""
    clients("kinesis").put_records(StreamName="stream", Records=[{"Data": d.encode(), "PartitionKey": "k"} for d in data])


def seen(clients):
    """How often each record was processed."""
    items = clients("dynamodb").scan(TableName="seen")["Items"]
    return {item["id"]["S"]: int(item["n"]["N"]) for item in items if item["id"]["S"] != "attempts"}


def failed(clients, queue):
    messages = clients("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_a_failed_batch_is_retried_until_it_succeeds(clients, pipeline):
    put(clients, "a", "b", "p", "c")
    queue = pipeline({"MODE": "twice", "REPORT": "raise"}, BatchSize=10, MaximumRetryAttempts=5)
    wait_until(lambda: seen(clients).get("c"), "the last record")
    assert seen(clients) == {"a": 3, "b": 3, "p": 1, "c": 1}, "the whole batch comes back, in order"
    assert failed(clients, queue) == []


def test_a_partial_batch_response_brings_back_the_failed_record_and_all_after_it(clients, pipeline):
    put(clients, "a", "b", "p", "c")
    pipeline(
        {"MODE": "twice", "REPORT": "partial"},
        BatchSize=10,
        MaximumRetryAttempts=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    wait_until(lambda: seen(clients).get("c"), "the last record")
    assert seen(clients) == {"a": 1, "b": 1, "p": 1, "c": 1}


def test_bisecting_leaves_only_the_poison_record_for_the_failure_destination(clients, pipeline):
    put(clients, "a", "b", "c", "p", "d", "e", "f", "g")
    queue = pipeline({"MODE": "always", "REPORT": "raise"}, BatchSize=8, MaximumRetryAttempts=0, BisectBatchOnFunctionError=True)
    messages = wait_until(lambda: failed(clients, queue), "the failed batch")
    assert [m["KinesisBatchInfo"]["batchSize"] for m in messages] == [1]
    wait_until(lambda: seen(clients).keys() >= set("abcdefg"), "the healthy records")
    assert "p" not in seen(clients)


def test_what_is_given_up_names_its_range_at_the_failure_destination_and_the_stream_goes_on(clients, pipeline):
    put(clients, "p", "a")
    queue = pipeline({"MODE": "always", "REPORT": "raise"}, BatchSize=2, MaximumRetryAttempts=1)
    messages = wait_until(lambda: failed(clients, queue), "the failed batch")
    info = messages[0]["KinesisBatchInfo"]
    assert (info["batchSize"], info["shardId"]) == (2, "shardId-000000000000")
    assert int(info["endSequenceNumber"]) - int(info["startSequenceNumber"]) == 1
    assert messages[0]["requestContext"]["condition"] == "RetryAttemptsExhausted"
    put(clients, "next")
    wait_until(lambda: seen(clients).get("next"), "the record after the failed batch")


def test_records_of_a_split_shard_and_of_its_children_are_all_processed(clients, pipeline):
    pipeline({"MODE": "twice", "REPORT": "raise"}, BatchSize=10)
    before = [f"before-{n}" for n in range(20)]
    after = [f"after-{n}" for n in range(40)]
    kinesis = clients("kinesis")
    kinesis.put_records(StreamName="stream", Records=[{"Data": d.encode(), "PartitionKey": d} for d in before])
    kinesis.split_shard(StreamName="stream", ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127))
    kinesis.put_records(StreamName="stream", Records=[{"Data": d.encode(), "PartitionKey": d} for d in after])
    wait_until(lambda: seen(clients).keys() >= {*before, *after}, "all records")
    assert set(seen(clients).values()) == {1}


def test_a_filter_excludes_records_and_the_stream_goes_on(clients, pipeline):
    criteria = {"Filters": [{"Pattern": json.dumps({"partitionKey": ["keep"]})}]}
    pipeline({"MODE": "twice", "REPORT": "raise"}, BatchSize=10, FilterCriteria=criteria)
    records = [{"Data": f"{k}-{n}".encode(), "PartitionKey": k} for n in range(5) for k in ("keep", "drop")]
    clients("kinesis").put_records(StreamName="stream", Records=records)
    wait_until(lambda: seen(clients).keys() >= {f"keep-{n}" for n in range(5)}, "the kept records")
    assert not any(name.startswith("drop") for name in seen(clients))


def test_an_answer_that_cannot_be_read_counts_as_an_attempt(clients, functions):
    """{"batchItemFailures": [5]} has no item identifier: after the retries the batch goes to the failure destination."""
    queue = clients("sqs").create_queue(QueueName="failed")["QueueUrl"]
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="stream", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    functions.create("junk", "def handler(event, context):\n    return {'batchItemFailures': [5]}\n")
    clients("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream",
        FunctionName="junk",
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=1,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{clients.account}:failed"}},
    )
    put(clients, "a")
    wait_until(lambda: failed(clients, queue), "the failed batch")


def test_a_batch_is_cut_at_the_payload_limit(clients, functions):
    """10,000 small records do not fit into one invocation: Lambda sends them in parts."""
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="stream", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    records = [{"Data": b"x" * 300, "PartitionKey": "k"}] * 500
    for _ in range(20):
        kinesis.put_records(StreamName="stream", Records=records)
    source = "def handler(event, context):\n    print('COUNT', len(event['Records']))\n"
    functions.create("counter", source, MemorySize=512, Timeout=30)
    clients("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream",
        FunctionName="counter",
        StartingPosition="TRIM_HORIZON",
        BatchSize=10_000,
    )

    def counted():
        try:
            events = clients("logs").filter_log_events(logGroupName="/aws/lambda/counter")["events"]
        except clients("logs").exceptions.ResourceNotFoundException:
            return None
        return sum(int(e["message"].split()[1]) for e in events if e["message"].startswith("COUNT")) == 10_000

    wait_until(counted, "all records to be processed")


def test_messages_that_wait_for_an_environment_do_not_come_back(clients, functions):
    """One that takes longer to start than the queue hides its messages for: each is received once, and none is a dead letter."""
    sqs = clients("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{clients.account}:dead", "maxReceiveCount": 1}
    queue = sqs.create_queue(QueueName="input", Attributes={"VisibilityTimeout": "2", "RedrivePolicy": json.dumps(redrive)})[
        "QueueUrl"
    ]
    sqs.create_queue(QueueName="seen")
    source = """
import boto3, time
time.sleep(5)
sqs = boto3.client("sqs")
def handler(event, context):
    for record in event["Records"]:
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="seen")["QueueUrl"], MessageBody=record["body"])
"""
    functions.create("consumer", source, Timeout=2)
    clients("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:us-east-1:{clients.account}:input", FunctionName="consumer", BatchSize=1
    )
    bodies = [str(number) for number in range(4)]
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    seen = sqs.get_queue_url(QueueName="seen")["QueueUrl"]
    wait_until(lambda: waiting(sqs, seen) == 4 and waiting(sqs, queue) == 0, "all messages to be handled", 120)
    assert waiting(sqs, dead) == 0


def waiting(sqs, queue):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values()))
