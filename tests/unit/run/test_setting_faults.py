"""Settings as faults: what they are made of, and that each is taken back."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from pydantic import ValidationError

from harness.errors import UsageError
from harness.faults.check import problems
from harness.faults.plan import dump, load
from harness.run.setting_faults import Settings

STOPPED, SLOWED = {"kind": "reserved_concurrency", "function": "F"}, {"kind": "timeout", "function": "F", "seconds": 2}


@pytest.fixture
def stubbed():
    """Clients of Lambda, CloudWatch and its logs without a network, and their stubbers."""
    made = {
        name: boto3.client(name, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        for name in ("lambda", "cloudwatch", "logs")
    }
    stubbers = {name: Stubber(client) for name, client in made.items()}
    for stubber in stubbers.values():
        stubber.activate()
    yield made.__getitem__, stubbers
    for stubber in stubbers.values():
        stubber.assert_no_pending_responses()


def settings(clients, *faults):
    return Settings(load([{**fault, "id": f"f{place}"} for place, fault in enumerate(faults)]), clients)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({**SLOWED, "seconds": None}, "timeout: needs seconds"),
        ({**STOPPED, "seconds": 1}, "takes no seconds"),
        ({**STOPPED, "invocations": "1"}, "invocations"),
        ({**SLOWED, "seconds": 0}, "greater than or equal to 1"),
        ({**SLOWED, "seconds": 900}, "less than or equal to 899"),
    ],
)
def test_what_a_setting_cannot_be(fault, says):
    with pytest.raises(ValidationError, match=says):
        load([fault])


def test_a_plan_with_settings_can_be_written_down():
    assert dump(load([STOPPED, SLOWED])) == [STOPPED, SLOWED]


def test_a_function_has_a_setting_once_and_a_version_keeps_its_timeout():
    functions = {
        name: {"Type": "AWS::Serverless::Function", "Properties": properties}
        for name, properties in (("F", {}), ("V", {"AutoPublishAlias": "live"}))
    }
    plan = load([STOPPED, SLOWED, STOPPED, {**SLOWED, "function": "V"}, {**STOPPED, "function": "V"}])
    found = [(number, told.partition(":")[0]) for number, _, told in problems(plan, {"Resources": functions}, ())]
    assert found == [(2, "F has this setting already"), (3, "V has AutoPublishAlias")]
    shared = {"Resources": functions, "Globals": {"Function": {"AutoPublishAlias": "live"}}}
    assert [number for number, _, _ in problems(load([SLOWED]), shared, ())] == [0]


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


def test_a_time_out_that_the_function_has_is_refused(stubbed):
    clients, stubs = stubbed
    stubs["lambda"].add_response("get_function_configuration", {"Timeout": 2})
    made = settings(clients, SLOWED)
    with pytest.raises(UsageError, match=r"f0 \(timeout\): F has 2 s, and 2 s are no less"):
        made.make()
    made.take_back()


def test_lambdas_metrics_count_what_was_throttled_or_dropped(stubbed):
    clients, stubs = stubbed
    for metric, points in (("Throttles", [{"Sum": 2.0}, {"Sum": 3.0}]), ("AsyncEventsDropped", [{"Sum": 1.0}])):
        asked = {
            "Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": [{"Name": "FunctionName", "Value": "F"}],
            "StartTime": ANY, "EndTime": ANY, "Period": 60, "Statistics": ["Sum"],
        }  # fmt: skip
        stubs["cloudwatch"].add_response("get_metric_statistics", {"Datapoints": points}, asked)
    made = settings(clients, STOPPED)
    assert made.count() == ()
    assert made.counts == {"f0": 6}


@pytest.mark.parametrize(("configured", "group"), [({}, "/aws/lambda/F"), ({"LoggingConfig": {"LogGroup": "own"}}, "own")])
def test_the_log_tells_what_the_time_out_has_ended(stubbed, configured, group):
    clients, stubs = stubbed
    asked = {"logGroupName": group, "startTime": ANY, "filterPattern": '"Task timed out after 2.00 seconds"'}
    stubs["lambda"].add_response("get_function_configuration", configured)
    stubs["logs"].add_response("filter_log_events", {"events": [{}, {}], "nextToken": "more"}, asked)
    stubs["logs"].add_response("filter_log_events", {"events": [{}]}, {**asked, "nextToken": "more"})
    made = settings(clients, SLOWED)
    assert made.count() == ()
    assert made.counts == {"f0": 3}


def test_a_function_without_a_log_was_never_ended(stubbed):
    clients, stubs = stubbed
    stubs["lambda"].add_response("get_function_configuration", {})
    stubs["logs"].add_client_error("filter_log_events", "ResourceNotFoundException")
    made = settings(clients, SLOWED)
    assert (made.count(), made.counts) == ((), {"f0": 0})


def test_what_cannot_be_asked_is_a_doubt(stubbed):
    clients, stubs = stubbed
    stubs["cloudwatch"].add_client_error("get_metric_statistics", "AccessDenied", "not allowed")
    (doubt,) = settings(clients, STOPPED).count()
    assert doubt.startswith("fault f0 (reserved_concurrency): what it has met is not known: ")


def test_what_could_not_be_taken_back_is_tried_again(stubbed):
    clients, stubs = stubbed
    stubs["lambda"].add_response("get_function_concurrency", {})
    stubs["lambda"].add_response("put_function_concurrency", {})
    made = settings(clients, STOPPED)
    made.make()
    stubs["lambda"].add_client_error("delete_function_concurrency", "TooManyRequestsException", http_status_code=429)
    with pytest.raises(ClientError):
        made.take_back()
    stubs["lambda"].add_response("delete_function_concurrency", {})
    made.take_back()
