"""Faults of the gateway: a client sees what it would see on AWS, and botocore does what it would do."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from harness.emulator.faults import FaultClient
from harness.errors import UnknownVerdictError
from tests.conformance.functions import wait_until
from tests.e2e.plans import arm, fired, queue

RETURNS = "def handler(event, context):\n    return event\n"


def client(clients, service, mode="standard", attempts=4, **config):
    session = boto3.session.Session(aws_access_key_id=clients.account, aws_secret_access_key="dummy", region_name=clients.region)
    retries = {"mode": mode, "total_max_attempts": attempts}
    return session.client(
        service, endpoint_url=clients.endpoint, config=Config(retries=retries, s3={"addressing_style": "path"}, **config)
    )


def stream(clients, name="stream"):
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return name


def table(clients, name="table"):
    clients("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )  # fmt: skip
    return name


def state_machine(clients):
    definition = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
    return clients("stepfunctions").create_state_machine(
        name="machine", definition=json.dumps(definition), roleArn=f"arn:aws:iam::{clients.account}:role/test"
    )["stateMachineArn"]


def bucket(clients):
    name = f"bucket-{clients.account}"
    clients("s3").create_bucket(Bucket=name)
    return name


def _put_records(clients):
    name = stream(clients)
    return "kinesis", "PutRecords", lambda c: c.put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k"}])


def _put_item(clients):
    name = table(clients)
    return "dynamodb", "PutItem", lambda c: c.put_item(TableName=name, Item={"k": {"S": "1"}})


def _put_object(clients):
    name = bucket(clients)
    return "s3", "PutObject", lambda c: c.put_object(Bucket=name, Key="k", Body=b"x")


def _send_message(clients):
    url = queue(clients)
    return "sqs", "SendMessage", lambda c: c.send_message(QueueUrl=url, MessageBody="x")


def _publish(clients):
    arn = clients("sns").create_topic(Name="topic")["TopicArn"]
    return "sns", "Publish", lambda c: c.publish(TopicArn=arn, Message="x")


def _start_execution(clients):
    arn = state_machine(clients)
    return "stepfunctions", "StartExecution", lambda c: c.start_execution(stateMachineArn=arn)


THROTTLED = [
    pytest.param(_put_records, "ProvisionedThroughputExceededException", 400, id="kinesis"),
    pytest.param(_put_item, "ProvisionedThroughputExceededException", 400, id="dynamodb"),
    pytest.param(_put_object, "SlowDown", 503, id="s3"),
    pytest.param(_send_message, "RequestThrottled", 403, id="sqs"),
    pytest.param(_publish, "Throttling", 400, id="sns"),
    pytest.param(_start_execution, "ThrottlingException", 400, id="stepfunctions"),
]


@pytest.mark.parametrize(("prepare", "code", "status"), THROTTLED)
def test_a_throttled_client_sees_the_services_own_error_and_retries_until_it_gets_through(clients, gateway, prepare, code, status):
    service, operation, call = prepare(clients)
    for mode in ("standard", "legacy", "adaptive"):
        arm(gateway, {"kind": "throttle", "service": service, "operation": operation, "calls": "1-2"})
        answer = call(client(clients, service, mode))
        assert answer["ResponseMetadata"]["RetryAttempts"] == 2, mode
        assert fired(gateway) == {"throttle-1": 2}
    arm(gateway, {"kind": "throttle", "service": service, "operation": operation})
    once = client(clients, service, attempts=1)
    with pytest.raises(ClientError) as refused:
        call(once)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    # The SDK's own class where the service's model has one.
    assert type(refused.value).__name__ == (code if hasattr(once.exceptions, code) else "ClientError")


def test_a_throttled_invoke_is_lambdas_own_exception_class(clients, gateway, functions):
    functions.create("echo", RETURNS)
    arm(gateway, {"kind": "throttle", "service": "lambda", "operation": "Invoke", "resource": "echo", "calls": "1-2"})
    answer = client(clients, "lambda").invoke(FunctionName="echo", Payload=b"1")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    arm(gateway, {"kind": "lambda_throttled", "function": "echo"})
    once = client(clients, "lambda", attempts=1)
    with pytest.raises(once.exceptions.TooManyRequestsException):
        once.invoke(FunctionName="echo", Payload=b"1")
    assert once.invoke(FunctionName="echo", Payload=b"1")["StatusCode"] == 200


@pytest.mark.parametrize("prepare", [p.values[0] for p in THROTTLED])
def test_a_failing_service_answers_500_and_is_asked_again(clients, gateway, prepare):
    service, operation, call = prepare(clients)
    arm(gateway, {"kind": "error", "service": service, "operation": operation, "calls": "1"})
    assert call(client(clients, service))["ResponseMetadata"]["RetryAttempts"] == 1
    arm(gateway, {"kind": "error", "service": service, "operation": operation, "code": "AccessDenied", "status": 403})
    with pytest.raises(ClientError) as refused:
        call(client(clients, service))
    assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_put_records_fails_the_named_entries_and_stores_the_others(clients, gateway):
    name = stream(clients)
    arm(gateway, {"kind": "partial", "service": "kinesis", "operation": "PutRecords", "entries": "2-3, 5"})
    records = [{"Data": str(n).encode(), "PartitionKey": "k"} for n in range(1, 7)]
    answer = clients("kinesis").put_records(StreamName=name, Records=records)
    assert answer["FailedRecordCount"] == 3
    assert [n for n, r in enumerate(answer["Records"], 1) if r.get("ErrorCode")] == [2, 3, 5]
    assert {r["ErrorCode"] for r in answer["Records"] if "ErrorCode" in r} == {"ProvisionedThroughputExceededException"}
    kinesis = clients("kinesis")
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON")
    stored = kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]
    assert [r["Data"] for r in stored] == [b"1", b"4", b"6"]
    assert [r["SequenceNumber"] for r in stored] == [r["SequenceNumber"] for r in answer["Records"] if "SequenceNumber" in r]


def test_when_all_entries_fail_none_is_executed(clients, gateway):
    name, url = stream(clients), queue(clients)
    arm(
        gateway,
        {"kind": "partial", "service": "kinesis", "operation": "PutRecords"},
        {"kind": "partial", "service": "sqs", "operation": "SendMessageBatch"},
    )
    answer = clients("kinesis").put_records(StreamName=name, Records=[{"Data": b"x", "PartitionKey": "k"}] * 4)
    assert answer["FailedRecordCount"] == 4
    answer = clients("sqs").send_message_batch(QueueUrl=url, Entries=[{"Id": "a", "MessageBody": "x"}])
    assert [entry["Id"] for entry in answer["Failed"]] == ["a"]
    assert not answer.get("Successful")
    assert "Messages" not in clients("sqs").receive_message(QueueUrl=url)


def test_batch_write_and_get_return_what_was_not_processed(clients, gateway):
    name, dynamodb = table(clients), clients("dynamodb")
    arm(
        gateway,
        {"kind": "partial", "service": "dynamodb", "operation": "BatchWriteItem", "entries": "every 2"},
        {"kind": "partial", "service": "dynamodb", "operation": "BatchGetItem", "entries": "1"},
    )
    puts = [{"PutRequest": {"Item": {"k": {"S": str(n)}}}} for n in range(1, 6)]
    answer = dynamodb.batch_write_item(RequestItems={name: puts})
    assert answer["UnprocessedItems"] == {name: [puts[1], puts[3]]}
    assert sorted(i["k"]["S"] for i in dynamodb.scan(TableName=name)["Items"]) == ["1", "3", "5"]
    assert dynamodb.batch_write_item(RequestItems=answer["UnprocessedItems"])["UnprocessedItems"] == {}
    keys = [{"k": {"S": str(n)}} for n in range(1, 6)]
    answer = dynamodb.batch_get_item(RequestItems={name: {"Keys": keys, "ConsistentRead": True}})
    assert answer["UnprocessedKeys"] == {name: {"Keys": keys[:1], "ConsistentRead": True}}
    assert sorted(i["k"]["S"] for i in answer["Responses"][name]) == ["2", "3", "4", "5"]


def test_send_message_batch_tells_the_failed_entries_by_id_and_sends_the_others(clients, gateway):
    url = queue(clients)
    arm(gateway, {"kind": "partial", "service": "sqs", "operation": "SendMessageBatch", "resource": url, "entries": "2"})
    entries = [{"Id": i, "MessageBody": i} for i in "abc"]
    answer = clients("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    assert [e["Id"] for e in answer["Successful"]] == ["a", "c"]
    assert [(e["Id"], e["SenderFault"]) for e in answer["Failed"]] == [("b", False)]
    got = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(m["Body"] for m in got) == ["a", "c"]


def test_a_lost_reply_was_executed_and_a_cut_call_was_not(clients, gateway):
    url = queue(clients)
    once = client(clients, "sqs", attempts=1)
    arm(
        gateway,
        {"kind": "reply_lost", "service": "sqs", "operation": "SendMessage", "calls": "1"},
        {"kind": "cut", "service": "sqs", "operation": "SendMessage", "calls": "2"},
    )
    for _ in range(2):
        with pytest.raises(ConnectionClosedError):
            once.send_message(QueueUrl=url, MessageBody="x")
    once.send_message(QueueUrl=url, MessageBody="y")
    got = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(m["Body"] for m in got) == ["x", "y"]
    assert fired(gateway) == {"reply_lost-1": 1, "cut-2": 1}


def test_the_sdk_repeats_a_call_whose_reply_was_lost_and_so_doubles_the_message(clients, gateway):
    url = queue(clients)
    arm(gateway, {"kind": "reply_lost", "service": "sqs", "operation": "SendMessage"})
    client(clients, "sqs").send_message(QueueUrl=url, MessageBody="x")
    got = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [m["Body"] for m in got] == ["x", "x"]


def test_a_call_that_hangs_has_no_answer_and_was_not_executed(clients, gateway):
    url = queue(clients)
    impatient = client(clients, "sqs", attempts=1, read_timeout=1)
    arm(gateway, {"kind": "hang", "service": "sqs", "operation": "SendMessage", "seconds": 3})
    with pytest.raises(ReadTimeoutError):
        impatient.send_message(QueueUrl=url, MessageBody="x")
    wait_until(lambda: fired(gateway) == {"hang-1": 1}, "the hang to end")
    assert "Messages" not in clients("sqs").receive_message(QueueUrl=url)


def test_until_success_ends_a_fault_when_a_call_got_through(clients, gateway):
    url = queue(clients)
    once = client(clients, "sqs", attempts=1)
    arm(gateway, {"kind": "throttle", "service": "sqs", "operation": "SendMessage", "calls": "1-2, 4-9", "until_success": True})
    answers = []
    for _ in range(5):
        try:
            once.send_message(QueueUrl=url, MessageBody="x")
            answers.append(True)
        except ClientError:
            answers.append(False)
    assert answers == [False, False, True, True, True]


def test_callers_are_told_apart(clients, gateway, functions):
    """The third PutItem of one function, and no other's."""
    source = (
        "import boto3, botocore\n"
        "from botocore.config import Config\n"
        "db = boto3.client('dynamodb', config=Config(retries={'total_max_attempts': 1}))\n"
        "def handler(event, context):\n"
        "    try:\n"
        "        db.put_item(TableName='table', Item={'k': {'S': event}})\n"
        "    except db.exceptions.ProvisionedThroughputExceededException:\n"
        "        return 'throttled'\n"
        "    return 'stored'\n"
    )
    table(clients)
    functions.create("one", source, Timeout=30)
    functions.create("two", source, Timeout=30)
    arm(
        gateway,
        {"id": "one", "kind": "throttle", "service": "dynamodb", "caller": "one", "calls": "3"},
        {"id": "harness", "kind": "throttle", "service": "dynamodb", "operation": "Scan", "caller": "harness", "calls": "1"},
    )
    said = [(name, functions.invoke(name, str(n))[1]) for n in range(4) for name in ("one", "two")]
    assert [n for n, (name, answer) in enumerate(said) if answer == "throttled"] == [4], "the third of one"
    with pytest.raises(ClientError):
        clients("dynamodb", retries=False).scan(TableName="table")
    (firing,) = next(entry["firings"] for entry in gateway.log() if entry["id"] == "one")
    assert (firing["event"], firing["caller"], firing["call"]) == (3, "one", "dynamodb.PutItem")
    assert firing["request_id"]


def test_a_fault_meets_what_its_invocation_does_behind_another_one_or_what_a_repetition_does(clients, gateway, functions):
    source = (
        "import boto3\n"
        "from botocore.config import Config\n"
        "db = boto3.client('dynamodb', config=Config(retries={'total_max_attempts': 1}))\n"
        "def put(key):\n"
        "    try:\n"
        "        db.put_item(TableName='table', Item={'k': {'S': key}})\n"
        "    except db.exceptions.ProvisionedThroughputExceededException:\n"
        "        return '-'\n"
        "    return '+'\n"
        "def handler(event, context):\n"
        "    return ''.join(put(key) for key in 'abc')\n"
    )
    table(clients)
    functions.create("writer", source, Timeout=30)
    throttled = {"kind": "throttle", "service": "dynamodb", "operation": "PutItem", "caller": "writer"}
    arm(
        gateway,
        {"id": "first", **throttled, "calls": "4"},
        {"id": "behind", **throttled, "after": "first", "calls": "1"},
        {"id": "again", **throttled, "repeats": "first", "calls": "2"},
    )
    said = [functions.invoke("writer", event)[1] for event in ("one", "two", "one", "two", "two")]
    assert said == ["+++", "--+", "+++", "+-+", "+++"]
    seen = {entry["id"]: (entry["seen"], [firing["event"] for firing in entry["firings"]]) for entry in gateway.log()}
    assert seen == {"first": (15, [4]), "behind": (2, [1]), "again": (6, [2])}


def test_accounts_do_not_meet(clients, gateway):
    url = queue(clients)
    other = FaultClient(clients.endpoint, "999999999999")
    arm(other, {"kind": "throttle", "service": "sqs", "calls": "all"})
    try:
        client(clients, "sqs", attempts=1).send_message(QueueUrl=url, MessageBody="x")
    finally:
        assert Counter(fired(other)) == {"throttle-1": 0}
        other.disarm()


def test_a_call_meets_one_fault_and_the_next_fault_the_next_call(clients, gateway):
    """A partial failure that a throttle swallowed would be told as fired, and have done nothing."""
    name, once = stream(clients), client(clients, "kinesis", attempts=1)
    arm(
        gateway,
        {"id": "partial", "kind": "partial", "service": "kinesis", "operation": "PutRecords", "entries": "1"},
        {"id": "throttled", "kind": "throttle", "service": "kinesis", "operation": "PutRecords"},
        {"id": "lost", "kind": "reply_lost", "service": "kinesis", "operation": "PutRecords"},
    )
    records = [{"Data": b"x", "PartitionKey": "k"}] * 2
    assert once.put_records(StreamName=name, Records=records)["FailedRecordCount"] == 1
    with pytest.raises(once.exceptions.ProvisionedThroughputExceededException):
        once.put_records(StreamName=name, Records=records)
    with pytest.raises(ConnectionClosedError):
        once.put_records(StreamName=name, Records=records)
    assert once.put_records(StreamName=name, Records=records)["FailedRecordCount"] == 0
    assert fired(gateway) == {"partial": 1, "throttled": 1, "lost": 1}


def test_a_reply_is_lost_only_of_a_call_that_was_executed(clients, gateway):
    arm(gateway, {"kind": "reply_lost", "service": "kinesis", "operation": "PutRecords"})
    once = client(clients, "kinesis", attempts=1)
    with pytest.raises(once.exceptions.ResourceNotFoundException):
        once.put_records(StreamName="nowhere", Records=[{"Data": b"x", "PartitionKey": "k"}])
    assert fired(gateway) == {"reply_lost-1": 0}


def test_a_run_that_loses_the_account_to_another_is_told(clients, gateway):
    arm(gateway, {"kind": "throttle", "service": "sqs", "calls": "all"})
    other = FaultClient(clients.endpoint, clients.account)
    other.arm(())
    assert clients("sqs", retries=False).list_queues()["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(UnknownVerdictError, match="another run"):
        gateway.disarm()
    assert other.disarm() == []


def test_a_fault_under_way_ends_with_the_plan(clients, gateway):
    url = queue(clients)
    arm(gateway, {"kind": "latency", "service": "sqs", "operation": "SendMessage", "seconds": 600})
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(client(clients, "sqs").send_message, QueueUrl=url, MessageBody="x")
        wait_until(lambda: gateway.log()[0]["seen"], "the call to be under way")
        gateway.disarm()
        assert sent.result(timeout=30)["MessageId"]
