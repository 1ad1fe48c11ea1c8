"""Settings as faults: what they are made of, and that each is taken back."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from pydantic import ValidationError

from harness.faults.plan import dump, load
from harness.run.setting_faults import Settings

STOPPED, SLOWED = {"kind": "reserved_concurrency", "function": "F"}, {"kind": "timeout", "function": "F", "seconds": 2}


@pytest.fixture
def stubbed():
    """Clients of Lambda and CloudWatch without a network, and their stubbers."""
    made = {
        name: boto3.client(name, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        for name in ("lambda", "cloudwatch")
    }
    stubbers = {name: Stubber(client) for name, client in made.items()}
    for stubber in stubbers.values():
        stubber.activate()
    yield made.__getitem__, stubbers
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()


def settings(clients, *faults):
    return Settings(load([{**fault, "id": f"f{place}"} for place, fault in enumerate(faults)]), clients, 1_796_000_030.0)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({**SLOWED, "seconds": None}, "timeout: needs seconds"),
        ({**SLOWED, "executions": 1}, "timeout: takes seconds, and no executions"),
        ({**STOPPED, "seconds": 1}, "takes executions, and no seconds"),
        ({**STOPPED, "invocations": "1"}, "invocations"),
        ({**STOPPED, "executions": -1}, "greater than or equal to 0"),
        ({**SLOWED, "seconds": 901}, "less than or equal to 900"),
    ],
)
def test_what_a_setting_cannot_be(fault, says):
    with pytest.raises(ValidationError, match=says):
        load([fault])


def test_a_plan_with_settings_can_be_written_down():
    plan = [{"kind": "reserved_concurrency", "function": "F", "executions": 3}, SLOWED]
    assert dump(load(plan)) == plan


@pytest.mark.parametrize("before", [None, 7])
def test_a_function_gets_back_the_concurrency_that_it_had(stubbed, before):
    clients, stubs = stubbed
    name = {"FunctionName": "F"}
    stubs["lambda"].add_response(
        "get_function_concurrency", {} if before is None else {"ReservedConcurrentExecutions": before}, name
    )
    stubs["lambda"].add_response("put_function_concurrency", {}, {**name, "ReservedConcurrentExecutions": 0})
    made = settings(clients, STOPPED)
    made.make()
    if before is None:
        stubs["lambda"].add_response("delete_function_concurrency", {}, name)
    else:
        stubs["lambda"].add_response("put_function_concurrency", {}, {**name, "ReservedConcurrentExecutions": before})
    made.take_back()
    made.take_back()


def test_what_was_set_and_not_answered_is_taken_back_too(stubbed):
    clients, stubs = stubbed
    stubs["lambda"].add_response("get_function_concurrency", {})
    stubs["lambda"].add_client_error("put_function_concurrency", "ServiceException", http_status_code=500)
    made = settings(clients, STOPPED, SLOWED)
    with pytest.raises(ClientError):
        made.make()
    stubs["lambda"].add_response("delete_function_concurrency", {})
    made.take_back()


def test_lambdas_metrics_count_what_a_setting_has_met(stubbed):
    clients, stubs = stubbed
    for metric, points in (("Throttles", [{"Sum": 2.0}, {"Sum": 3.0}]), ("Errors", [])):
        asked = {
            "Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": [{"Name": "FunctionName", "Value": "F"}],
            "StartTime": ANY, "EndTime": ANY, "Period": 86_400, "Statistics": ["Sum"],
        }  # fmt: skip
        stubs["cloudwatch"].add_response("get_metric_statistics", {"Datapoints": points}, asked)
    made = settings(clients, STOPPED, SLOWED)
    made.count()
    assert made.counts == {"f0": 5, "f1": 0}
