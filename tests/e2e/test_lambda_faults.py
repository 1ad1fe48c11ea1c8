"""Lambda faults: a function fails at the named point, has done what it had done by then, and works again."""

from __future__ import annotations

import pytest

from tests.e2e.plans import arm, fired, queue

RETURNS = "def handler(event, context):\n    return event\n"


@pytest.mark.parametrize(
    ("kind", "error_type", "ran"),
    [
        ("lambda_error_before", "InjectedError", False),
        ("lambda_error_after", "InjectedError", True),
        ("lambda_timeout", "Sandbox.Timedout", True),
        ("lambda_killed_before", "Runtime.ExitError", False),
        ("lambda_killed_after", "Runtime.ExitError", True),
    ],
)
def test_a_function_fails_at_the_named_point_and_works_again(clients, gateway, functions, kind, error_type, ran):
    source = (
        "import boto3\nsqs = boto3.client('sqs')\n"
        "def handler(event, context):\n    sqs.send_message(QueueUrl=event, MessageBody='ran')\n    return 'done'\n"
    )
    url = queue(clients)
    functions.create("works", source, Timeout=30)
    assert functions.invoke("works", url)[:2] == (None, "done")
    arm(gateway, {"kind": kind, "function": "works", "invocations": "1"})
    error, payload, log = functions.invoke("works", url)
    assert error == "Unhandled"
    assert payload["errorType"] == error_type
    assert "REPORT" in log
    assert functions.invoke("works", url)[:2] == (None, "done")
    sent = int(
        clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"]
    )
    assert sent == 2 + ran
    assert fired(gateway) == {f"{kind}-1": 1}


def test_a_function_killed_during_its_work_has_done_so_many_calls_and_no_more(clients, gateway, functions):
    source = (
        "import boto3\nsqs = boto3.client('sqs')\n"
        "def handler(event, context):\n    for n in range(5):\n        sqs.send_message(QueueUrl=event, MessageBody=str(n))\n"
    )
    url = queue(clients)
    functions.create("five", source, Timeout=30)
    arm(gateway, {"kind": "lambda_killed_during", "function": "five", "after_calls": 3})
    error, payload, _ = functions.invoke("five", url)
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert payload["errorMessage"].endswith("signal: killed")
    got = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(m["Body"] for m in got) == ["0", "1", "2"]


def test_an_init_that_is_killed_is_done_again_in_the_invocation_and_fails_it_the_second_time(clients, gateway, functions):
    functions.create("first", RETURNS, Timeout=30)
    arm(gateway, {"kind": "lambda_init", "function": "first", "invocations": "1-2"})
    error, payload, _ = functions.invoke("first", 1)
    assert (error, payload["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert functions.invoke("first", 1)[:2] == (None, 1)


def test_a_slow_start_counts_as_the_functions_time(clients, gateway, functions):
    functions.create("slow", RETURNS, Timeout=1)
    functions.invoke("slow", 1)
    arm(gateway, {"kind": "lambda_slow", "function": "slow", "invocations": "1", "seconds": 30})
    assert functions.invoke("slow", 1)[1]["errorType"] == "Sandbox.Timedout"
    assert functions.invoke("slow", 1)[:2] == (None, 1)
