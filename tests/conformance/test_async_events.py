"""Lambda: what becomes of events that functions are invoked with asynchronously."""

from __future__ import annotations

import json
import re

import pytest

from tests.conformance.functions import wait_until

ASYNC = "lambda/latest/dg/invocation-async-error-handling.html"
ECHO = "def handler(event, context):\n    return [event, context.function_version, context.invoked_function_arn]\n"


@pytest.fixture
def lambda_(clients):
    return clients("lambda")


@pytest.fixture
def queue(clients):
    url = clients("sqs").create_queue(QueueName="told")["QueueUrl"]

    def received():
        return [json.loads(one["Body"]) for one in clients("sqs").receive_message(QueueUrl=url).get("Messages", [])]

    received.arn = f"arn:aws:sqs:us-east-1:{clients.account}:told"
    return received


FAILS = "def handler(event, context):\n    raise ValueError('as told')\n"


@pytest.mark.rule(ASYNC)
def test_a_failed_event_goes_to_its_destination(clients, lambda_, functions, queue):
    """After its retries the event is sent to the OnFailure destination, with the request and the error."""
    functions.create("f", FAILS)
    lambda_.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": queue.arn}}
    )
    assert lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n": 1}')["StatusCode"] == 202
    record = wait_until(queue, "the record", 60)[0]
    assert record["requestPayload"] == {"n": 1}
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "as told"


@pytest.mark.rule("lambda/latest/dg/invocation-async-retain-records.html")
def test_a_failed_event_goes_to_a_bucket(clients, lambda_, functions):
    """A bucket as OnFailure destination keeps the record of the invocation, with the event, below aws/lambda/async/FUNCTION."""
    bucket = f"failed-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    functions.create("f", FAILS)
    lambda_.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    )
    lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n": 1}')
    (found,) = wait_until(lambda: clients("s3").list_objects_v2(Bucket=bucket).get("Contents"), "the record", 60)
    assert re.fullmatch(r"aws/lambda/async/f/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-[0-9a-f-]{36}", found["Key"])
    record = json.loads(clients("s3").get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    assert (record["requestPayload"], record["requestContext"]["condition"]) == ({"n": 1}, "RetriesExhausted")
    assert record["responsePayload"]["errorMessage"] == "as told"


@pytest.mark.rule("lambda/latest/dg/invocation-async-retain-records.html")
def test_a_successful_event_goes_to_its_destination(lambda_, functions, queue):
    """OnSuccess has the request and the answer."""
    functions.create("f", ECHO)
    lambda_.put_function_event_invoke_config(FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": queue.arn}})
    lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b'"in"')
    record = wait_until(queue, "the record", 60)[0]
    assert (record["requestContext"]["condition"], record["requestPayload"]) == ("Success", "in")
    assert record["responsePayload"][0] == "in"


@pytest.mark.rule(ASYNC)
def test_a_dead_letter_has_the_event_and_why(clients, lambda_, functions):
    """A dead-letter queue gets the event as it was, with request id, error code and message as attributes."""
    url = clients("sqs").create_queue(QueueName="dead")["QueueUrl"]
    functions.create("f", FAILS, DeadLetterConfig={"TargetArn": f"arn:aws:sqs:us-east-1:{clients.account}:dead"})
    lambda_.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n": 1}')
    ask = {"QueueUrl": url, "MessageAttributeNames": ["All"]}
    message = wait_until(lambda: clients("sqs").receive_message(**ask).get("Messages"), "the dead letter", 60)[0]
    assert json.loads(message["Body"]) == {"n": 1}
    assert set(message["MessageAttributes"]) == {"RequestID", "ErrorCode", "ErrorMessage"}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "as told"
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "200"


@pytest.mark.rule(ASYNC)
@pytest.mark.parametrize("why", ["no concurrency", "no text"])
def test_every_failed_event_is_a_dead_letter(clients, lambda_, functions, why):
    """An event goes to the dead-letter queue also where the function may not run at all, or fails without a message."""
    url = clients("sqs").create_queue(QueueName="dead")["QueueUrl"]
    arn_of_queue = f"arn:aws:sqs:us-east-1:{clients.account}:dead"
    functions.create("f", FAILS.replace("'as told'", ""), DeadLetterConfig={"TargetArn": arn_of_queue})
    lambda_.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    if why == "no concurrency":
        lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"n": 1}')
    message = wait_until(lambda: clients("sqs").receive_message(QueueUrl=url).get("Messages"), "the dead letter", 60)[0]
    assert json.loads(message["Body"]) == {"n": 1}


@pytest.mark.rule("lambda/latest/api/API_PutFunctionEventInvokeConfig.html")
@pytest.mark.parametrize("qualifier", ["live", "1"])
def test_a_version_or_an_alias_has_its_configuration(lambda_, functions, queue, qualifier):
    """Where a version or an alias is invoked, its configuration counts: here its destination."""
    functions.create("f", ECHO)
    lambda_.publish_version(FunctionName="f")
    lambda_.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    options = {"DestinationConfig": {"OnSuccess": {"Destination": queue.arn}}}
    lambda_.put_function_event_invoke_config(FunctionName="f", Qualifier=qualifier, **options)
    lambda_.invoke(FunctionName="f", Qualifier=qualifier, InvocationType="Event", Payload=b'"in"')
    assert wait_until(queue, "the record", 60)[0]["requestPayload"] == "in"


@pytest.mark.rule(ASYNC)
def test_an_event_that_comes_while_its_function_is_changed_is_handled_soon(lambda_, functions, queue):
    """An event is kept until its function is invoked with it, whatever is changed meanwhile; a change does not set it aside."""
    functions.create("f", ECHO)
    lambda_.put_function_event_invoke_config(FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": queue.arn}})
    for number in range(12):
        lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(number))
        if number % 3 == 0:
            lambda_.update_function_configuration(FunctionName="f", Timeout=100 + number)
        lambda_.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 0})
    found = []
    # Set aside, an event would come again after its function's time-out, and more.
    wait_until(lambda: found.extend(one["requestPayload"] for one in queue()) or len(set(found)) == 12, "all events", 60)
