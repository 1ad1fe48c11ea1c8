"""The emulator knows what is under way: rest is never claimed while something is."""

from __future__ import annotations

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3
from botocore.exceptions import ClientError

from harness.emulator import tokens
from harness.emulator.plugin import ask
from harness.errors import UnknownVerdictError
from tests.conformance.functions import wait_until
from tests.e2e.gates import Gate


def activity(clients):
    """What is under way for the account of a test: another one may use the same emulator at the same time."""
    url = f"{clients.endpoint}/_pipeproof/activity?account={clients.account}"
    return urllib3.request("GET", url, headers=tokens.headers(url), retries=False).json()


def at_rest(clients):
    return activity(clients)["at_rest"]


def test_a_running_invocation_is_no_rest(functions, clients):
    gate = Gate(clients)
    functions.create("slow", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=60)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(functions.invoke, "slow")
        gate.wait_for(1)
        seen = activity(clients)
        assert (seen["in_flight"]["invocations"], seen["at_rest"]) == (1, False)
        gate.open()
        future.result()
    wait_until(lambda: at_rest(clients), "rest")


def test_an_asynchronous_invocation_is_no_rest_until_it_is_done(functions, clients):
    gate = Gate(clients)
    done = "    boto3.client('sqs').send_message(QueueUrl=event, MessageBody='done')\n"
    functions.create("later", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n{done}", Timeout=60)
    queue = clients("sqs").create_queue(QueueName="done")["QueueUrl"]
    clients("lambda").invoke(FunctionName="later", InvocationType="Event", Payload=json.dumps(queue))
    gate.wait_for(1)
    assert not at_rest(clients)
    gate.open()
    wait_until(lambda: at_rest(clients), "rest")
    assert clients("sqs").receive_message(QueueUrl=queue).get("Messages"), "at rest, so it must be done"


def test_records_behind_a_mapping_are_no_rest_until_they_are_processed(functions, clients):
    gate = Gate(clients)
    functions.create("reader", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=60)
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="stream", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    mapping = clients("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream",
        FunctionName="reader",
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
    )
    kinesis.put_records(StreamName="stream", Records=[{"Data": b"x", "PartitionKey": "k"}] * 25)

    def behind():
        return {s["mapping"]: s["behind"] for s in activity(clients)["streams"]}[mapping["UUID"]]

    gate.wait_for(1)
    assert behind() == 25
    assert not at_rest(clients)
    gate.open(2)
    wait_until(lambda: behind() == 5, "two batches")
    gate.wait_for(3)
    assert not at_rest(clients)
    gate.open()
    wait_until(lambda: behind() == 0, "the last batch")
    wait_until(lambda: at_rest(clients), "rest")
    clients("lambda").delete_event_source_mapping(UUID=mapping["UUID"])


@pytest.mark.parametrize(("many", "updates"), [(1, 0), (1, 1), (7, 0)])
def test_a_function_that_is_deleted_leaves_nothing_under_way(functions, clients, many, updates):
    """Not what still runs of it from before an update, nor the log of that, nor what waits for one of its environments."""
    functions.create("f", "import time\ndef handler(event, context):\n    time.sleep(300)\n", Timeout=600)
    functions.created.clear()
    client = clients("lambda")
    with ThreadPoolExecutor(many) as threads:
        running = [threads.submit(client.invoke, FunctionName="f") for _ in range(many)]
        wait_until(lambda: activity(clients)["in_flight"]["invocations"] == many, "the invocations to begin")
        for _ in range(updates):
            client.update_function_configuration(FunctionName="f", Timeout=500)
            client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
            assert activity(clients)["in_flight"]["invocations"] == 1
        client.delete_function(FunctionName="f")
        wait_until(lambda: all(one.done() for one in running), "the invocations to end", 30)
    wait_until(lambda: at_rest(clients), "rest", 20)


def test_a_message_in_a_queue_that_a_function_reads_is_no_rest(functions, clients):
    gate = Gate(clients)
    functions.create("taker", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=30)
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:work"
    clients("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="taker", BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    gate.wait_for(1)
    assert not at_rest(clients)
    gate.open()
    wait_until(lambda: at_rest(clients), "rest")
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_a_message_in_a_queue_that_nobody_reads_is_rest(clients):
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    wait_until(lambda: at_rest(clients), "rest")


def test_records_in_a_buffer_are_no_rest_until_they_are_delivered(clients):
    bucket = f"lake-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    clients("firehose").create_delivery_stream(
        DeliveryStreamName="stream",
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{clients.account}:role/firehose", "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"IntervalInSeconds": 600, "SizeInMBs": 5},
        },
    )  # fmt: skip
    ask = clients("firehose").describe_delivery_stream
    wait_until(
        lambda: ask(DeliveryStreamName="stream")["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE", "the stream"
    )
    clients("firehose").put_record(DeliveryStreamName="stream", Record={"Data": b"x"})
    assert not at_rest(clients)
    assert 1 in [buffer["records"] for buffer in activity(clients)["buffers"]]
    url = f"{clients.endpoint}/_pipeproof/buffers?account={clients.account}"
    urllib3.request("POST", url, headers=tokens.headers(clients.endpoint), retries=False)
    wait_until(lambda: at_rest(clients), "rest")
    assert clients("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1, "at rest, so it must be delivered"


def test_an_open_window_is_no_rest_until_its_end(functions, clients):
    source = """
import boto3
def handler(event, context):
    if event["isFinalInvokeForWindow"]:
        boto3.client("sqs").send_message(QueueUrl=boto3.client("sqs").get_queue_url(QueueName="done")["QueueUrl"], MessageBody="done")
    return {"state": event["state"]}
"""
    functions.create("windowed", source, Timeout=30)
    queue = clients("sqs").create_queue(QueueName="done")["QueueUrl"]
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="stream", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    mapping = clients("lambda").create_event_source_mapping(
        EventSourceArn=f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream", FunctionName="windowed",
        StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=4,
    )["UUID"]  # fmt: skip
    wait_until(lambda: clients("lambda").get_event_source_mapping(UUID=mapping)["State"] == "Enabled", "the mapping")
    kinesis.put_record(StreamName="stream", Data=b"x", PartitionKey="k")
    wait_until(lambda: at_rest(clients), "rest", 60)
    assert clients("sqs").receive_message(QueueUrl=queue).get("Messages"), "at rest, so the window must have ended"


def test_a_message_of_a_pipe_is_no_rest_until_its_target_has_it(functions, clients):
    gate = Gate(clients)
    functions.create("target", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=60)
    url = clients("sqs").create_queue(QueueName="from")["QueueUrl"]
    clients("pipes").create_pipe(
        Name="pipe", Source=f"arn:aws:sqs:us-east-1:{clients.account}:from", RoleArn=f"arn:aws:iam::{clients.account}:role/pipe",
        Target=f"arn:aws:lambda:us-east-1:{clients.account}:function:target",
    )  # fmt: skip
    wait_until(lambda: clients("pipes").describe_pipe(Name="pipe")["CurrentState"] == "RUNNING", "the pipe to run", 30)
    clients("sqs").send_message(QueueUrl=url, MessageBody="x")
    gate.wait_for(1)
    assert not at_rest(clients)
    gate.open()
    wait_until(lambda: at_rest(clients), "rest")
    left = clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_a_change_of_a_table_that_a_function_reads_is_no_rest(functions, clients):
    gate = Gate(clients)
    functions.create("reader", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=60)
    table = clients("dynamodb").create_table(
        TableName="changes", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]  # fmt: skip
    clients("lambda").create_event_source_mapping(
        EventSourceArn=table["LatestStreamArn"], FunctionName="reader", StartingPosition="TRIM_HORIZON"
    )
    clients("dynamodb").put_item(TableName="changes", Item={"id": {"S": "a"}})
    gate.wait_for(1)
    assert not at_rest(clients)
    gate.open()
    wait_until(lambda: at_rest(clients), "rest")


def test_a_function_that_goes_on_after_its_api_has_answered_is_no_rest(functions, clients):
    gate = Gate(clients)
    functions.create("late", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=60)
    gateway, arn = clients("apigatewayv2"), f"arn:aws:lambda:us-east-1:{clients.account}:function:late"
    api = gateway.create_api(Name="api", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0", TimeoutInMillis=1000
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    clients("lambda").add_permission(
        FunctionName="late", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    assert urllib3.request("POST", f"{clients.endpoint}/_aws/execute-api/{api}/", retries=False, timeout=40).status == 503
    gate.wait_for(1)
    assert not at_rest(clients)
    gate.open()
    wait_until(lambda: at_rest(clients), "rest")


def test_a_task_that_moves_messages_is_no_rest(clients):
    sqs = clients("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})
    target = sqs.create_queue(QueueName="target")["QueueUrl"]
    target_arn = sqs.get_queue_attributes(QueueUrl=target, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.send_message_batch(QueueUrl=dead, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(10)])
    wait_until(lambda: at_rest(clients), "rest: nothing reads these queues")
    task = sqs.start_message_move_task(SourceArn=arn, DestinationArn=target_arn, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    assert not at_rest(clients)
    sqs.cancel_message_move_task(TaskHandle=task)
    wait_until(lambda: at_rest(clients), "rest")
    # LocalStack lets one be cancelled that has ended.
    with contextlib.suppress(ClientError):
        sqs.cancel_message_move_task(TaskHandle=task)
    wait_until(lambda: at_rest(clients), "rest after another cancel")


def test_a_service_is_loaded_before_it_is_asked(emulator):
    """One that no other test needs."""

    def state():
        return urllib3.request("GET", f"{emulator.endpoint}/_localstack/health").json()["services"]["swf"]

    def ahead(**asked):
        return ask("POST", f"{emulator.endpoint}/_pipeproof/ahead", {}, "services", asked)

    assert state() == "available"
    assert ahead(account="000000000000", region="us-east-1", services=["none", "swf"]) == {"services": ["none", "swf"]}
    wait_until(lambda: state() == "running", "swf to be loaded")
    with pytest.raises(UnknownVerdictError, match="not understood"):
        ahead(account="000000000000")
