"""The emulator knows what is under way: rest is never claimed while something is."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import urllib3

from harness.emulator import tokens
from tests.conformance.functions import wait_until
from tests.e2e.gates import Gate


def activity(emulator):
    headers = tokens.headers(emulator.endpoint)
    return urllib3.request("GET", f"{emulator.endpoint}/_pipeproof/activity", headers=headers, retries=False).json()


def at_rest(emulator):
    return activity(emulator)["at_rest"]


def test_a_running_invocation_is_no_rest(functions, clients, emulator):
    gate = Gate(clients)
    functions.create("slow", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=60)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(functions.invoke, "slow")
        gate.wait_for(1)
        seen = activity(emulator)
        assert (seen["in_flight"]["invocations"], seen["at_rest"]) == (1, False)
        gate.open()
        future.result()
    wait_until(lambda: at_rest(emulator), "rest")


def test_an_asynchronous_invocation_is_no_rest_until_it_is_done(functions, clients, emulator):
    gate = Gate(clients)
    done = "    boto3.client('sqs').send_message(QueueUrl=event, MessageBody='done')\n"
    functions.create("later", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n{done}", Timeout=60)
    queue = clients("sqs").create_queue(QueueName="done")["QueueUrl"]
    clients("lambda").invoke(FunctionName="later", InvocationType="Event", Payload=json.dumps(queue))
    gate.wait_for(1)
    assert not at_rest(emulator)
    gate.open()
    wait_until(lambda: at_rest(emulator), "rest")
    assert clients("sqs").receive_message(QueueUrl=queue).get("Messages"), "at rest, so it must be done"


def test_records_behind_a_mapping_are_no_rest_until_they_are_processed(functions, clients, emulator):
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
        return {s["mapping"]: s["behind"] for s in activity(emulator)["streams"]}[mapping["UUID"]]

    gate.wait_for(1)
    assert behind() == 25
    assert not at_rest(emulator)
    gate.open(2)
    wait_until(lambda: behind() == 5, "two batches")
    gate.wait_for(3)
    assert not at_rest(emulator)
    gate.open()
    wait_until(lambda: behind() == 0, "the last batch")
    wait_until(lambda: at_rest(emulator), "rest")
    clients("lambda").delete_event_source_mapping(UUID=mapping["UUID"])


def test_a_message_in_a_queue_that_a_function_reads_is_no_rest(functions, clients, emulator):
    gate = Gate(clients)
    functions.create("taker", f"{gate.source}\ndef handler(event, context):\n    wait_at_gate()\n", Timeout=30)
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:work"
    clients("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="taker", BatchSize=1)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    gate.wait_for(1)
    assert not at_rest(emulator)
    gate.open()
    wait_until(lambda: at_rest(emulator), "rest")
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"]) == ("0", "0")


def test_a_message_in_a_queue_that_nobody_reads_is_rest(clients, emulator):
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    wait_until(lambda: at_rest(emulator), "rest")
