"""SNS: filter policies."""

from __future__ import annotations

import json

import pytest

BODY = "sns/latest/dg/sns-message-filtering-scope.html"
NUMBERS = "sns/latest/dg/numeric-value-matching.html"
TEXTS = "sns/latest/dg/string-value-matching.html"


@pytest.fixture
def publish(clients):
    """Publishes to a topic with two queues, of which one has a filter policy. Returns which of `all` and `filtered` got the message."""
    sns, sqs = clients("sns"), clients("sqs")

    def send(policy, *, body=None, attributes=None):
        topic = sns.create_topic(Name="topic")["TopicArn"]
        urls = {}
        for name in ("all", "filtered"):
            urls[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
            options = {"RawMessageDelivery": "true"}
            if name == "filtered":
                scope = "MessageBody" if body is not None else "MessageAttributes"
                options |= {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope}
            arn = f"arn:aws:sqs:us-east-1:{clients.account}:{name}"
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=options)
        sns.publish(TopicArn=topic, Message=json.dumps(body), MessageAttributes=attributes or {})
        assert sqs.receive_message(QueueUrl=urls["all"], WaitTimeSeconds=5).get("Messages"), "the other queue gets every message"
        return bool(sqs.receive_message(QueueUrl=urls["filtered"], WaitTimeSeconds=1).get("Messages"))

    return send


@pytest.mark.rule(BODY)
@pytest.mark.parametrize(
    ("condition", "value", "passes"),
    [
        ({"prefix": "5"}, 5, False),
        ({"suffix": "5"}, 5, False),
        ({"equals-ignore-case": "5"}, 5, False),
        ({"anything-but": {"prefix": "5"}}, "6", True),
        ({"prefix": "ab"}, "abc", True),
        ({"numeric": [">", 4, "<=", 5]}, 5, True),
        ({"numeric": [">", 4]}, "5", False),
        (1, True, False),
        ({"exists": False}, 1, False),
    ],
    ids=str,
)
def test_a_policy_on_the_body(publish, condition, value, passes):
    """A filter policy on the body compares by JSON types; the other subscriptions get the message whatever the policy of one is."""
    assert publish({"v": [condition]}, body={"v": value}) is passes


@pytest.mark.rule(NUMBERS)
@pytest.mark.parametrize(
    ("condition", "text", "passes"),
    [
        (100, "100", True),
        (100, "1.0e2", True),
        ({"anything-but": [100, 500]}, "100", False),
        ({"anything-but": [100, 500]}, "101", True),
        ({"numeric": ["=", 301.5]}, "3.015e2", True),
        ({"numeric": [">=", 1, "<", 2]}, "2", False),
    ],
    ids=str,
)
def test_a_policy_on_a_number(publish, condition, text, passes):
    """The value of an attribute of type Number is compared as a number."""
    assert publish({"v": [condition]}, attributes={"v": {"DataType": "Number", "StringValue": text}}) is passes


@pytest.mark.rule(TEXTS)
@pytest.mark.parametrize(
    ("condition", "attribute", "passes"),
    [
        ("b", {"DataType": "String.Array", "StringValue": '["a", "b"]'}, True),
        ({"anything-but": ["a", "b"]}, {"DataType": "String", "StringValue": "a"}, False),
        ({"equals-ignore-case": "tennis"}, {"DataType": "String", "StringValue": "TENNIS"}, True),
        ({"cidr": "10.0.0.0/24"}, {"DataType": "String", "StringValue": "10.0.0.255"}, True),
        ({"exists": True}, {"DataType": "Number", "StringValue": "0"}, True),
    ],
    ids=str,
)
def test_a_policy_on_a_text(publish, condition, attribute, passes):
    """Text conditions compare the value of an attribute, or each member of an array."""
    assert publish({"v": [condition]}, attributes={"v": attribute}) is passes


@pytest.mark.rule("sns/latest/dg/fifo-message-dedup.html")
@pytest.mark.parametrize("how", ["by id", "by content", "in a batch"])
def test_a_fifo_topic_delivers_a_message_once(clients, how):
    """A message that is published again to a FIFO topic within five minutes is accepted, and not delivered: not to a standard queue either."""
    sns, sqs = clients("sns"), clients("sqs")
    attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    topic = sns.create_topic(Name="topic.fifo", Attributes=attributes)["TopicArn"]
    url = sqs.create_queue(QueueName="standard")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:standard"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    messages = [("a", "1"), ("b", "1"), ("a", "2")] if how == "by id" else [("a", None), ("a", None), ("b", None)]
    for number, (body, dedup_id) in enumerate(messages):
        options = {"MessageGroupId": "g", **({"MessageDeduplicationId": dedup_id} if dedup_id else {})}
        if how == "in a batch":
            sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=[{"Id": str(number), "Message": body, **options}])
        else:
            sns.publish(TopicArn=topic, Message=body, **options)
    expected = ["a", "a"] if how == "by id" else ["a", "b"]
    got = []
    for _ in range(3):
        got += sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", [])
    assert sorted(message["Body"] for message in got) == expected


@pytest.mark.rule("sns/latest/dg/sns-message-attributes.html")
@pytest.mark.parametrize("raw", ["true", "false"])
def test_a_raw_message_has_ten_attributes_at_most(clients, raw):
    """A raw message with more than ten attributes is not delivered to a queue: it is a client-side error, and a dead letter. One that is not raw has them in its body."""
    sns, sqs = clients("sns"), clients("sqs")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("to", "dead")}
    arns = {name: f"arn:aws:sqs:us-east-1:{clients.account}:{name}" for name in urls}
    redrive = json.dumps({"deadLetterTargetArn": arns["dead"]})
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arns["to"], Attributes={"RawMessageDelivery": raw, "RedrivePolicy": redrive}
    )
    attributes = {f"a{n}": {"DataType": "String", "StringValue": "v"} for n in range(11)}
    sns.publish(TopicArn=topic, Message="m", MessageAttributes=attributes)
    there, elsewhere = ("dead", "to") if raw == "true" else ("to", "dead")
    (message,) = sqs.receive_message(QueueUrl=urls[there], WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == "m" if raw == "true" else json.loads(message["Body"])["Message"] == "m"
    assert not sqs.receive_message(QueueUrl=urls[elsewhere], WaitTimeSeconds=0).get("Messages")
