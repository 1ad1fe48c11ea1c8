"""Dead letters that are taken again: by a scenario's actors, and by the command, also by one that is killed half way."""

from __future__ import annotations

import json
import re

import pytest

from harness.run.drain import Rest, drain
from harness.stack import deploy as stacks
from tests.conformance.functions import wait_until
from tests.e2e.commands import ROOT, pipeproof, start
from tests.e2e.plans import arm, fired

TEMPLATE = ROOT / "pipeline" / "clickstream" / "template.yaml"
ALL_TYPES = "page_view,click,purchase,signup"
PURCHASES, BROKEN = 150, 7


def test_a_fix_is_deployed_and_what_was_dead_lettered_is_stored_once(tmp_path, run):
    code, output, result = run(tmp_path, "run", "clickstream-redrive", "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    assert result["outcome"]["stored"] > 1800
    assert "deployed clickstream with EventTypes=" in output


def there(clients, queue, *names):
    attributes = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return sum(int(attributes[f"ApproximateNumberOfMessages{name}"]) for name in names or ("", "NotVisible"))


@pytest.fixture
def letters(clients, emulator, tmp_path):
    """A stack with 150 purchases in its dead-letter queue that its next version takes, and 7 that are no events."""
    parameters = {"PythonRuntime": emulator.python_runtime, "EventTypes": "click"}
    outputs = stacks.deploy(clients, TEMPLATE, parameters, "redriven").outputs
    event = {"eventType": "purchase", "userId": "u", "timestamp": "2026-01-31T12:00:00Z"}
    payloads = [json.dumps({**event, "eventId": f"e{number}"}) for number in range(PURCHASES)] + ["{"] * BROKEN
    records = [{"Data": payload.encode(), "PartitionKey": "u"} for payload in payloads]
    clients("kinesis").put_records(StreamName=outputs["EventStreamName"], Records=records)
    queue = outputs["DeadLetterQueueUrl"]
    wait_until(lambda: there(clients, queue) == PURCHASES + BROKEN, "all of them are dead-lettered")
    stacks.update(clients, TEMPLATE, {"EventTypes": ALL_TYPES}, "redriven")

    def command(*args, source=queue, begin=pipeproof):
        return begin(tmp_path, "redrive", source, *args, "--emulator", clients.endpoint, "--account", clients.account)

    command.queue, command.outputs = queue, outputs
    return command


def stored(clients, outputs):
    s3, bucket = clients("s3"), outputs["EventBucketName"]
    found = [
        item["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for item in page.get("Contents", [])
    ]
    lines = [line for key in found for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()]
    return sorted(json.loads(line)["eventId"] for line in lines)


def test_letters_are_listed_and_chosen_and_a_dry_run_moves_nothing(letters, clients):
    code, output, _ = letters()
    assert code == 0, output
    assert re.search(
        rf"{PURCHASES}  EventTypeNotTaken\n +{BROKEN}  MalformedJson\n157 chosen, 0 passed over; nothing was moved", output
    )
    target = letters.outputs["RedriveQueueUrl"]
    code, output, _ = letters("--error", "MalformedJson", "--to", target, "--dry-run")
    assert (code, "7 chosen, 150 passed over; nothing was moved" in output) == (0, True), output
    assert there(clients, letters.queue, "") == PURCHASES + BROKEN
    code, output, _ = letters("--error", "EventTypeNotTaken", "--since", "1h", "--to", target)
    assert (code, "150 chosen, 7 passed over; 150 moved" in output) == (0, True), output
    wait_until(lambda: len(stored(clients, letters.outputs)) == PURCHASES, "all purchases are stored")
    assert there(clients, letters.queue, "") == BROKEN
    code, output, _ = letters("--until", "1h", "--to", target)
    assert (code, "0 chosen, 7 passed over; 0 moved" in output) == (0, True), output


def test_a_redrive_that_is_killed_again_and_again_loses_and_doubles_nothing(letters, clients, gateway):
    args = "--to", letters.outputs["RedriveQueueUrl"], "--visibility-timeout", "1"
    before = there(clients, letters.queue)
    for _ in range(3):
        # From its third batch on the redrive is held up, so that each kill comes half way.
        arm(gateway, {"id": "held", "kind": "throttle", "service": "sqs", "operation": "SendMessageBatch", "calls": "3-1000"})
        process = letters(*args, begin=start)
        wait_until(lambda: process.poll() is not None or fired(gateway)["held"], "the third batch is sent")  # noqa: B023
        process.kill()
        process.communicate()
        gateway.disarm()
        left = there(clients, letters.queue)
        assert (process.returncode, 0 < left < before) == (-9, True)
        before = left
    code, output, _ = letters(*args)
    assert code == 0, output
    wait_until(lambda: len(stored(clients, letters.outputs)) >= PURCHASES, "all purchases are stored")
    steps = list(drain(clients.endpoint, clients.account, 60, lambda: None))
    assert any(isinstance(step, Rest) and step.known for step in steps)
    assert stored(clients, letters.outputs) == sorted(f"e{number}" for number in range(PURCHASES))
    # Each of the broken ones is there, once or, where a kill came between the two queues, more often.
    code, output, _ = letters()
    assert int(re.search(r"^ +(\d+)  MalformedJson$", output, re.MULTILINE)[1]) >= BROKEN, output
    assert "EventTypeNotTaken" not in output


def test_what_cannot_be_redriven_is_told_with_the_remedy(letters, clients):
    fifo = clients("sqs").create_queue(QueueName="in-order.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for args, source, said in [
        ((), "none", "there is no queue none; there is "),
        (("--to", letters.queue), letters.queue, "its messages are there already"),
        ((), letters.outputs["RedriveQueueUrl"], "has a redrive policy: SQS would count"),
        ((), fifo, "is a FIFO queue: StartMessageMoveTask"),
        ((), "s3://none/", "there is no bucket none"),
        (("--since", "yesterday"), letters.queue, "'yesterday' is neither a time such as"),
        (("--id", "x"), "s3://none/", "--error and --id choose letters of a queue"),
    ]:
        code, output, _ = letters(*args, source=source)
        assert (code, said in output, "Traceback" in output) == (64, True, False), output


def test_objects_are_told_again_to_a_queue_by_the_time_at_which_they_were_put(letters, clients):
    s3, sqs = clients("s3"), clients("sqs")
    bucket, queue = letters.outputs["EventBucketName"], sqs.create_queue(QueueName="again")["QueueUrl"]
    s3.put_object(Bucket=bucket, Key="raw/é.json", Body=b"{")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for name in ["a b.json", "é.json"]:
        version = s3.put_object(Bucket=bucket, Key=f"raw/{name}", Body=b"{}")["VersionId"]
    code, output, _ = letters("--to", "again", "--until", "1h", source=f"s3://{bucket}/raw/")
    assert (code, "0 chosen, 2 passed over" in output) == (0, True), output
    code, output, _ = letters("--to", "again", "--since", "1h", source=f"s3://{bucket}/raw/")
    assert (code, "2 chosen, 0 passed over; 2 moved" in output) == (0, True), output
    bodies = [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
    assert sorted(body["Records"][0]["s3"]["object"]["key"] for body in bodies) == ["raw/%C3%A9.json", "raw/a+b.json"]
    assert version in [body["Records"][0]["s3"]["object"].get("versionId") for body in bodies]
