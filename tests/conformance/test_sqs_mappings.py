"""Event source mappings on SQS queues."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until

SCALING = "lambda/latest/dg/services-sqs-scaling.html"
CONFIGURE = "lambda/latest/dg/services-sqs-configure.html"
ERRORS = "lambda/latest/dg/services-sqs-errorhandling.html"

COLLECT = """
def handler(event, context):
    bodies = [r["body"] for r in event["Records"]]
    began = time.time()
    time.sleep(float(os.environ.get("SLEEP", 0)))
    if os.environ.get("FAIL") and os.environ["FAIL"] in bodies:
        note(("failed", bodies))
        raise ValueError("poison")
    note(("batch", bodies, began, time.time(), event["Records"][0]))
"""


@pytest.fixture
def queue(clients):
    return clients("sqs").create_queue(QueueName="input", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]


@pytest.fixture
def mapping(clients, functions, note, seen):
    def connect(source=COLLECT, *, variables=None, name="input", **options):
        functions.create("consumer", note + source, Timeout=10, Environment={"Variables": variables or {}})
        arn = f"arn:aws:sqs:us-east-1:{clients.account}:{name}"
        return clients("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="consumer", **options)["UUID"]

    return connect


def send(clients, queue, *bodies, **options):
    for start in range(0, len(bodies), 10):
        entries = [{"Id": str(n), "MessageBody": body, **options} for n, body in enumerate(bodies[start : start + 10])]
        clients("sqs").send_message_batch(QueueUrl=queue, Entries=entries)


def batches(seen):
    return [what for what in seen() if what[0] == "batch"]


def bodies(seen):
    return [body for what in batches(seen) for body in what[1]]


def most_at_once(seen):
    spans = [(what[2], what[3]) for what in batches(seen)]
    return max(sum(began <= at < ended for began, ended in spans) for at, _ in spans)


def left(clients, queue):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = clients("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


@pytest.mark.rule(CONFIGURE)
def test_processed_messages_are_deleted(clients, queue, mapping, seen):
    """When the function succeeds Lambda deletes the batch from the queue."""
    mapping()
    send(clients, queue, "a", "b")
    wait_until(lambda: sorted(bodies(seen)) == ["a", "b"] and left(clients, queue) == 0, "the queue to be empty")


@pytest.mark.rule(SCALING)
def test_batches_run_side_by_side(clients, queue, mapping, seen):
    """A mapping processes batches concurrently: up to five at first, more while messages wait."""
    send(clients, queue, *(str(n) for n in range(12)))
    mapping(BatchSize=1, variables={"SLEEP": "1"})
    wait_until(lambda: len(bodies(seen)) == 12, "all messages")
    assert most_at_once(seen) > 1


@pytest.mark.rule(SCALING)
def test_maximum_concurrency_bounds_the_batches(clients, queue, mapping, seen):
    """ScalingConfig.MaximumConcurrency bounds how many batches run at once."""
    send(clients, queue, *(str(n) for n in range(6)))
    mapping(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2}, variables={"SLEEP": "2"})
    wait_until(lambda: len(bodies(seen)) == 6, "all messages")
    assert most_at_once(seen) == 2


@pytest.mark.rule(SCALING)
def test_reserved_concurrency_bounds_the_batches(clients, queue, functions, mapping, seen):
    """A function's reserved concurrency bounds how many batches run at once, and no message is lost to throttles."""
    send(clients, queue, *(str(n) for n in range(6)))
    uuid = mapping(BatchSize=1, Enabled=False, variables={"SLEEP": "0.3"})
    clients("lambda").put_function_concurrency(FunctionName="consumer", ReservedConcurrentExecutions=1)
    clients("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_until(lambda: len(bodies(seen)) >= 6, "all messages")
    assert sorted(bodies(seen)) == [str(n) for n in range(6)]
    assert most_at_once(seen) == 1


@pytest.mark.rule(CONFIGURE)
def test_the_batch_size_bounds_a_batch(clients, queue, mapping, seen):
    """A batch has at most BatchSize messages."""
    send(clients, queue, *(str(n) for n in range(10)))
    mapping(BatchSize=3)
    wait_until(lambda: len(bodies(seen)) == 10, "all messages")
    assert max(len(what[1]) for what in batches(seen)) <= 3


@pytest.mark.rule(CONFIGURE)
def test_a_large_batch_needs_a_window(clients, queue, mapping):
    """A BatchSize over 10 needs a MaximumBatchingWindowInSeconds of at least 1."""
    with pytest.raises(clients("lambda").exceptions.InvalidParameterValueException):
        mapping(BatchSize=11)


@pytest.mark.rule(CONFIGURE)
def test_the_batching_window_collects(clients, queue, mapping, seen):
    """With MaximumBatchingWindowInSeconds messages are collected until the window is over or the batch is full."""
    mapping(BatchSize=100, MaximumBatchingWindowInSeconds=3)
    for start in range(0, 30, 10):
        send(clients, queue, *(str(n) for n in range(start, start + 10)))
    wait_until(lambda: len(bodies(seen)) == 30, "all messages")
    assert len(batches(seen)) <= 2


@pytest.mark.rule(ERRORS)
def test_a_failed_batch_becomes_visible_again(clients, mapping, seen):
    """When the function fails all messages of the batch become visible again after the visibility timeout."""
    queue = clients("sqs").create_queue(QueueName="input", Attributes={"VisibilityTimeout": "10"})["QueueUrl"]
    clients("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "2"})
    mapping(variables={"FAIL": "p"})
    send(clients, queue, "p")
    wait_until(lambda: len(seen()) >= 2, "a second attempt")
    assert left(clients, queue) == 1


@pytest.mark.rule(ERRORS)
def test_reported_messages_come_back_and_the_others_are_deleted(clients, mapping, seen):
    """With ReportBatchItemFailures only the reported messages become visible again."""
    queue = clients("sqs").create_queue(QueueName="input", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    source = (
        'def handler(event, context):\n    note(("batch", [r["body"] for r in event["Records"]]))\n'
        '    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in event["Records"] if r["body"] == "p"]}\n'
    )
    send(clients, queue, "a", "p", "b")
    mapping(source, FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_until(lambda: bodies(seen).count("p") >= 2, "the reported message again")
    assert (bodies(seen).count("a"), bodies(seen).count("b")) == (1, 1)


@pytest.mark.rule(ERRORS)
def test_an_empty_item_identifier_fails_the_whole_batch(clients, mapping, seen):
    """An answer with an empty itemIdentifier, or an unknown one, counts as a complete failure."""
    queue = clients("sqs").create_queue(QueueName="input", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    source = (
        'def handler(event, context):\n    note(("batch", [r["body"] for r in event["Records"]]))\n'
        '    return {"batchItemFailures": [{"itemIdentifier": ""}]}\n'
    )
    send(clients, queue, "a", "b")
    mapping(source, FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_until(lambda: min(bodies(seen).count("a"), bodies(seen).count("b")) >= 2, "both messages again")


@pytest.mark.rule("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html")
def test_a_message_that_always_fails_moves_to_the_dead_letter_queue(clients, mapping, seen):
    """A message that was received maxReceiveCount times moves to the dead-letter queue."""
    dead = clients("sqs").create_queue(QueueName="dead")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{clients.account}:dead", "maxReceiveCount": "2"})
    queue = clients("sqs").create_queue(QueueName="input", Attributes={"VisibilityTimeout": "1", "RedrivePolicy": policy})[
        "QueueUrl"
    ]
    send(clients, queue, "p")
    mapping(variables={"FAIL": "p"})
    wait_until(lambda: left(clients, dead) == 1, "the dead letter")
    assert [what[0] for what in seen()] == ["failed", "failed"]


@pytest.mark.rule("lambda/latest/dg/with-sqs-filtering.html")
def test_filtered_messages_are_deleted(clients, queue, mapping, seen):
    """Messages that do not match the filter are deleted from the queue; a body that is no JSON does not match a JSON pattern."""
    mapping(FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": {"kind": ["buy"]}})}]})
    send(clients, queue, '{"kind": "look"}', '{"kind":"buy"}', "text")
    wait_until(lambda: bodies(seen) and left(clients, queue) == 0, "the queue to be empty")
    assert bodies(seen) == ['{"kind":"buy"}'], "the body byte for byte"


@pytest.mark.rule("lambda/latest/dg/with-sqs.html")
def test_an_event_has_what_is_documented(clients, queue, mapping, seen):
    """An SQS event has the message's id, receipt handle, body, attributes, message attributes, MD5, and its source."""
    mapping()
    attributes = {"kind": {"DataType": "String", "StringValue": "x"}}
    clients("sqs").send_message(QueueUrl=queue, MessageBody="a", MessageAttributes=attributes)
    record = wait_until(lambda: batches(seen), "an event")[0][4]
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"] == f"arn:aws:sqs:us-east-1:{clients.account}:input"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= record["attributes"].keys()
    assert record["messageAttributes"]["kind"]["stringValue"] == "x"
    assert record["md5OfBody"] == "0cc175b9c0f1b6a831c399e269772661"
    assert {"messageId", "receiptHandle", "awsRegion"} <= record.keys()


@pytest.fixture
def fifo(clients):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "30"}
    return clients("sqs").create_queue(QueueName="input.fifo", Attributes=attributes)["QueueUrl"]


@pytest.mark.rule("lambda/latest/dg/services-sqs-scaling.html")
def test_groups_of_a_fifo_queue_run_side_by_side_and_each_in_order(clients, fifo, mapping, seen):
    """Message groups of a FIFO queue are processed concurrently, the messages of one group in order and one batch at a time."""
    for n in range(3):
        for group in "xyz":
            clients("sqs").send_message(QueueUrl=fifo, MessageBody=f"{group}{n}", MessageGroupId=group)
    mapping(BatchSize=1, name="input.fifo", variables={"SLEEP": "0.5"})
    wait_until(lambda: len(bodies(seen)) == 9, "all messages")
    for group in "xyz":
        assert [body for body in bodies(seen) if body[0] == group] == [f"{group}{n}" for n in range(3)]
    assert most_at_once(seen) > 1


@pytest.mark.rule(CONFIGURE)
def test_a_disabled_mapping_leaves_the_messages(clients, queue, mapping, seen):
    """A mapping that is disabled receives nothing; enabled again, it processes what has come."""
    uuid = mapping(Enabled=False)
    send(clients, queue, "a")
    assert clients("lambda").get_event_source_mapping(UUID=uuid)["State"] == "Disabled"
    assert left(clients, queue) == 1
    clients("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_until(lambda: bodies(seen) == ["a"], "the message")
