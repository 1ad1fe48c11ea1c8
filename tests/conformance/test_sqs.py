"""SQS: FIFO queues, dead letters and their way back."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until

REDRIVE = "AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html"
RETENTION = "AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html"


@pytest.fixture
def sqs(clients):
    return clients("sqs")


@pytest.fixture
def queue(clients, sqs):
    """Creates a queue; with `dead` its dead letters go to the queue of that name after one receive."""

    def create(name, *, dead=None, **attributes):
        if dead:
            arn = f"arn:aws:sqs:us-east-1:{clients.account}:{dead}"
            attributes |= {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})}
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    return create


def received(sqs, url, **options):
    options = {"WaitTimeSeconds": 1, "MaxNumberOfMessages": 10, "AttributeNames": ["All"], **options}
    return sqs.receive_message(QueueUrl=url, **options).get("Messages", [])


def dead_letter(sqs, url, dead):
    """Lets what is in a queue go to its dead-letter queue: it is received, visible again at once, and received once more."""
    (message,) = received(sqs, url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    wait_until(lambda: not received(sqs, url, WaitTimeSeconds=0) and waiting(sqs, dead), "the dead letter")
    return message


def waiting(sqs, url):
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return int(found["ApproximateNumberOfMessages"])


def redriven(clients, sqs, dead):
    """Moves all dead letters of the queue of this name back, and waits for the end of the task."""
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:{dead}"
    sqs.start_message_move_task(SourceArn=arn)
    wait_until(lambda: sqs.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] == "COMPLETED", "the move task")


@pytest.mark.rule(REDRIVE)
def test_a_dead_letter_queue_keeps_messages_of_one_deduplication_id(sqs, queue):
    """In a FIFO dead-letter queue the message's id is its deduplication id: independent messages that share one are both stored."""
    dead = queue("dead.fifo")
    for name in ("one.fifo", "two.fifo"):
        url = queue(name, dead="dead.fifo")
        sqs.send_message(QueueUrl=url, MessageBody=name, MessageGroupId=name, MessageDeduplicationId="same")
        (message,) = received(sqs, url)
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        assert received(sqs, url) == []
    assert sorted(message["Body"] for message in received(sqs, dead)) == ["one.fifo", "two.fifo"]


@pytest.mark.rule(REDRIVE)
def test_a_redriven_message_of_a_fifo_queue_comes_back(clients, sqs, queue):
    """A message that is redriven to its FIFO queue within five minutes is no duplicate; it may fail and be redriven again."""
    dead = queue("dead.fifo")
    url = queue("source.fifo", dead="dead.fifo")
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
    for _ in range(2):
        dead_letter(sqs, url, dead)
        redriven(clients, sqs, "dead.fifo")
    assert [message["Body"] for message in received(sqs, url)] == ["x"]


@pytest.mark.rule(REDRIVE)
def test_a_redriven_message_is_new(clients, sqs, queue):
    """A redriven message has a new id, and its receives are counted anew."""
    dead = queue("dead")
    url = queue("source", dead="dead")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    before = dead_letter(sqs, url, dead)
    redriven(clients, sqs, "dead")
    (after,) = received(sqs, url)
    assert (after["Body"], after["Attributes"]["ApproximateReceiveCount"]) == ("x", "1")
    assert after["MessageId"] != before["MessageId"]
    assert int(after["Attributes"]["SentTimestamp"]) >= int(before["Attributes"]["SentTimestamp"])


@pytest.mark.rule("AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html")
def test_a_group_waits_for_all_its_messages_in_flight(sqs, queue):
    """No message of a group is received while another one is in flight; then they come in their order."""
    url = queue("ordered.fifo", VisibilityTimeout="60")
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId="g", MessageDeduplicationId=str(number))
    first, second = received(sqs, url, MaxNumberOfMessages=2)

    def visible(message):
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)

    visible(second)
    assert received(sqs, url) == []
    visible(first)
    assert [message["Body"] for message in received(sqs, url)] == ["0", "1", "2"]


@pytest.mark.rule(RETENTION)
def test_messages_expire(sqs, queue):
    """A message is gone when its queue's MessageRetentionPeriod is over."""
    url = queue("short", MessageRetentionPeriod="60")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    wait_until(lambda: not waiting(sqs, url), "the message to expire", 75)


@pytest.mark.rule("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html")
@pytest.mark.parametrize(
    ("name", "dead", "allow"),
    [
        ("source", "nowhere", None),
        ("source", "dead.fifo", None),
        ("source.fifo", "dead", None),
        ("source", "dead", {"redrivePermission": "denyAll"}),
        ("source", "dead", {"redrivePermission": "byQueue", "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:another"]}),
    ],
    ids=["not there", "a FIFO queue", "a standard queue", "denies all", "allows another"],
)
def test_a_dead_letter_queue_is_there_of_the_same_type_and_open(sqs, queue, name, dead, allow):
    """A dead-letter queue must exist, be of its source's type, and allow it by its RedriveAllowPolicy."""
    options = {"RedriveAllowPolicy": json.dumps(allow)} if allow else {}
    for kind in ("dead", "dead.fifo"):
        queue(kind, **options)
    with pytest.raises(sqs.exceptions.ClientError, match="RedrivePolicy is invalid"):
        queue(name, dead=dead)
    url = queue(name)
    policy = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{url.split('/')[-2]}:{dead}", "maxReceiveCount": 1})
    with pytest.raises(sqs.exceptions.ClientError, match="RedrivePolicy is invalid"):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})


@pytest.mark.rule("AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html")
@pytest.mark.parametrize(("scope", "bodies"), [("queue", ["a1"]), ("messageGroup", ["a1", "b1"])])
def test_the_scope_of_deduplication(sqs, queue, scope, bodies):
    """With DeduplicationScope messageGroup a message is a duplicate in its group alone, whatever other groups have sent since."""
    url = queue(
        "scoped.fifo", DeduplicationScope=scope, FifoThroughputLimit="perQueue" if scope == "queue" else "perMessageGroupId"
    )
    for group, body in (("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2")):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId="same")
    found = [message["Body"] for _ in bodies for message in received(sqs, url)]
    assert sorted(found) == bodies
    assert received(sqs, url) == []


ATTEMPTS = "AWSSimpleQueueService/latest/SQSDeveloperGuide/using-receiverequestattemptid-request-parameter.html"


def attempted(sqs, url, attempt):
    return {
        one["MessageId"]: one["ReceiptHandle"] for one in received(sqs, url, ReceiveRequestAttemptId=attempt, WaitTimeSeconds=0)
    }


@pytest.fixture
def groups(sqs, queue):
    """A FIFO queue with a message in each of two groups."""
    url = queue("groups.fifo", ContentBasedDeduplication="true")
    for group in ("a", "b"):
        sqs.send_message(QueueUrl=url, MessageBody=group, MessageGroupId=group)
    return url


@pytest.mark.rule(ATTEMPTS)
def test_a_receive_that_is_tried_again_has_the_same_messages(sqs, groups):
    """A receive with the ReceiveRequestAttemptId of an earlier one gets the same messages by the same handles; another one does not."""
    first = attempted(sqs, groups, "1")
    assert len(first) == 2
    assert attempted(sqs, groups, "1") == first
    assert attempted(sqs, groups, "2") == {}


@pytest.mark.rule(ATTEMPTS)
@pytest.mark.parametrize("change", ["deleted", "hidden longer"])
def test_an_attempt_whose_messages_were_changed_is_a_new_receive(sqs, groups, change):
    """Once a message of an attempt was deleted, or its visibility changed, the same id does not bring them back."""
    handle = next(iter(attempted(sqs, groups, "1").values()))
    if change == "deleted":
        sqs.delete_message(QueueUrl=groups, ReceiptHandle=handle)
    else:
        sqs.change_message_visibility(QueueUrl=groups, ReceiptHandle=handle, VisibilityTimeout=120)
    assert attempted(sqs, groups, "1") == {}


@pytest.mark.rule("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html")
def test_a_message_has_ten_attributes_at_most(sqs, queue):
    """A message can have up to ten attributes; in a batch only the one that has more fails."""
    url = queue("q")
    many = {f"a{n}": {"DataType": "String", "StringValue": "v"} for n in range(11)}
    with pytest.raises(sqs.exceptions.ClientError, match=r"Number of message attributes \[11\] exceeds the allowed maximum \[10\]"):
        sqs.send_message(QueueUrl=url, MessageBody="m", MessageAttributes=many)
    entries = [{"Id": "good", "MessageBody": "good"}, {"Id": "bad", "MessageBody": "bad", "MessageAttributes": many}]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert [one["Id"] for one in answer["Successful"]] == ["good"]
    assert [(one["Id"], one["SenderFault"]) for one in answer["Failed"]] == [("bad", True)]
