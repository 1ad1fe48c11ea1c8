"""CloudFormation: custom resources, roll back, updates and policies."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until
from tests.conformance.stacks import QUEUE, ended, outputs, queue, queues, status

CUSTOM = "AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html"
FAILURE = "AWSCloudFormation/latest/UserGuide/stack-failure-options.html"
UPDATES = "AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html"
DELETION = "AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html"


ANSWER = """
import urllib.request
def handler(event, context):
    note(event)
    time.sleep(float(event["ResourceProperties"].get("Slow", "0")))
    if event["ResourceProperties"].get("Fail") == event["RequestType"]:
        body = {"Status": "FAILED", "Reason": "as told"}
    else:
        physical = event["ResourceProperties"].get("Id", "physical-1")
        body = {"Status": "SUCCESS", "PhysicalResourceId": physical, "Data": {"Value": event["ResourceProperties"].get("Input", "") + "!"}}
    body |= {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""})
    urllib.request.urlopen(request).read()
"""


@pytest.fixture
def custom(clients, functions, seen, note):
    """A custom resource with these properties."""
    functions.create("custom", note + ANSWER, Timeout=20)
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:custom"

    def make(kind="Custom::Mine", **properties):
        return {"Type": kind, "Properties": {"ServiceToken": arn, **properties}}

    return make


@pytest.mark.rule(CUSTOM)
@pytest.mark.parametrize("kind", ["Custom::Mine", "AWS::CloudFormation::CustomResource"])
def test_a_custom_resource_is_created_by_its_function(cloudformation, deploy, custom, seen, kind):
    """A custom resource's function gets a Create request with its properties, and its Data are the resource's attributes."""
    template = {"Outputs": {"V": {"Value": {"Fn::GetAtt": ["Mine", "Value"]}}, "R": {"Value": {"Ref": "Mine"}}}}
    assert deploy({"Mine": custom(kind, Input="x", Number=5)}, **template) == "CREATE_COMPLETE"
    assert outputs(cloudformation) == {"V": "x!", "R": "physical-1"}
    (event,) = seen()
    assert (event["RequestType"], event["LogicalResourceId"], event["ResourceType"]) == ("Create", "Mine", kind)
    assert event["ResourceProperties"]["Number"] == "5"
    assert {"StackId", "RequestId", "ResponseURL", "ServiceToken"} <= event.keys()


@pytest.mark.rule(CUSTOM)
def test_a_failing_custom_resource_fails_the_stack(cloudformation, deploy, custom):
    """A custom resource that answers FAILED fails the creation, and the stack rolls back."""
    assert deploy({"Mine": custom(Fail="Create"), "Queue": QUEUE}) == "ROLLBACK_COMPLETE"


@pytest.mark.rule(CUSTOM)
def test_a_custom_resource_is_updated(cloudformation, deploy, custom, seen):
    """A changed property sends an Update request with the old and the new properties and the physical id."""
    assert deploy({"Mine": custom(Input="x")}) == "CREATE_COMPLETE"
    assert deploy({"Mine": custom(Input="y")}, update=True) == "UPDATE_COMPLETE"
    event = seen()[1]
    assert (event["RequestType"], event["PhysicalResourceId"]) == ("Update", "physical-1")
    assert (event["OldResourceProperties"]["Input"], event["ResourceProperties"]["Input"]) == ("x", "y")


@pytest.mark.rule(CUSTOM)
def test_another_physical_id_is_a_replacement(cloudformation, deploy, custom, seen):
    """An Update that answers another physical id is followed by a Delete of the old one."""
    assert deploy({"Mine": custom(Id="one")}) == "CREATE_COMPLETE"
    assert deploy({"Mine": custom(Id="two")}, update=True) == "UPDATE_COMPLETE"
    deleted = wait_until(lambda: [e for e in seen() if e["RequestType"] == "Delete"], "a Delete request")
    assert [e["PhysicalResourceId"] for e in deleted] == ["one"]


@pytest.mark.rule(CUSTOM)
def test_a_custom_resource_is_deleted_with_its_stack(cloudformation, deploy, custom, seen):
    """Deleting the stack sends a Delete request with the physical id and the properties."""
    deploy({"Mine": custom(Input="x")})
    cloudformation.delete_stack(StackName="stack")
    assert ended(cloudformation, "stack") == "DELETE_COMPLETE"
    event = seen()[-1]
    assert (event["RequestType"], event["PhysicalResourceId"], event["ResourceProperties"]["Input"]) == (
        "Delete",
        "physical-1",
        "x",
    )


BROKEN = {
    "Type": "AWS::Lambda::EventSourceMapping",
    "Properties": {"FunctionName": "missing", "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:none"},
    "DependsOn": "Queue",
}


@pytest.mark.rule(FAILURE)
def test_a_failed_creation_rolls_back(clients, cloudformation, deploy):
    """When a resource cannot be created the stack rolls back: what was created is deleted."""
    assert deploy({"Queue": QUEUE, "Broken": BROKEN}) == "ROLLBACK_COMPLETE"
    assert queues(clients) == []


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html")
def test_a_bucket_whose_name_is_taken_is_not_the_stacks(clients, deploy):
    """A bucket with a name that is taken is not created, and what was there before stays as it is."""
    s3, name = clients("s3"), f"taken-{clients.account}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="kept", Body=b"kept")
    assert deploy({"Taken": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}}) == "ROLLBACK_COMPLETE"
    assert s3.get_object(Bucket=name, Key="kept")["Body"].read() == b"kept"


@pytest.mark.rule(FAILURE)
def test_without_rollback_the_resources_stay(clients, cloudformation, deploy):
    """With DisableRollback a failed creation ends in CREATE_FAILED, and what was created stays."""
    assert deploy({"Queue": QUEUE, "Broken": BROKEN}, DisableRollback=True) == "CREATE_FAILED"
    assert queues(clients) == ["made"]


@pytest.mark.rule("AWSCloudFormation/latest/APIReference/API_CreateStack.html")
def test_on_failure_delete(clients, cloudformation, deploy):
    """With OnFailure DELETE a failed stack is deleted."""
    assert deploy({"Queue": QUEUE, "Broken": BROKEN}, OnFailure="DELETE") == "DELETE_COMPLETE"


@pytest.mark.rule("AWSCloudFormation/latest/APIReference/API_DeleteStack.html")
@pytest.mark.parametrize("begun", ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_a_stack_is_deleted_while_it_is_under_way(clients, cloudformation, custom, seen, begun):
    """Once DeleteStack succeeds, the stack's deletion starts; it is not described by name any more."""
    fails = {"Fail": "Create"} if begun == "ROLLBACK_IN_PROGRESS" else {}
    resources = {"Queue": QUEUE, "Slow": custom(Slow="2"), "Last": {**custom(Id="last", **fails), "DependsOn": "Slow"}}
    cloudformation.create_stack(StackName="stack", TemplateBody=json.dumps({"Resources": resources}))
    wait_until(lambda: status(cloudformation, "stack") == begun and seen(), f"the stack to be {begun}", 60)
    cloudformation.delete_stack(StackName="stack")
    assert ended(cloudformation, "stack") == "DELETE_COMPLETE"
    assert not clients("sqs").list_queues().get("QueueUrls")


@pytest.mark.rule(FAILURE)
def test_the_events_say_what_failed(cloudformation, deploy):
    """The events of a stack name the resource that failed, with its reason."""
    deploy({"Queue": QUEUE, "Broken": BROKEN})
    events = cloudformation.describe_stack_events(StackName="stack")["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED" and event["LogicalResourceId"] == "Broken"]
    assert failed
    assert failed[0]["ResourceStatusReason"]


@pytest.mark.rule(FAILURE)
def test_a_failed_update_rolls_back(clients, cloudformation, deploy):
    """When an update fails the stack goes back to what it was: UPDATE_ROLLBACK_COMPLETE."""
    deploy({"Queue": QUEUE})
    other = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "other"}}
    assert deploy({"Queue": QUEUE, "Other": other, "Broken": BROKEN}, update=True) == "UPDATE_ROLLBACK_COMPLETE"
    assert queues(clients) == ["made"]


def visibility(clients, name):
    url = clients("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"][
        "VisibilityTimeout"
    ]


@pytest.mark.rule(UPDATES)
def test_a_changed_property_is_applied(clients, cloudformation, deploy):
    """An update applies a changed property to the resource without replacing it."""
    deploy({"Queue": queue(QueueName="made", VisibilityTimeout=30)})
    assert deploy({"Queue": queue(QueueName="made", VisibilityTimeout=60)}, update=True) == "UPDATE_COMPLETE"
    assert visibility(clients, "made") == "60"


@pytest.mark.rule(UPDATES)
def test_a_changed_name_replaces_the_resource(clients, cloudformation, deploy):
    """A property whose update requires replacement makes a new resource, and deletes the old one."""
    deploy({"Queue": queue(QueueName="old")})
    assert deploy({"Queue": queue(QueueName="new")}, update=True) == "UPDATE_COMPLETE"
    assert queues(clients) == ["new"]


@pytest.mark.rule(UPDATES)
def test_a_name_that_is_added_or_removed_replaces_the_resource(clients, cloudformation, deploy):
    """A property whose update requires replacement does so too where it is added or removed."""
    unnamed = {"Type": "AWS::SQS::Queue"}
    deploy({"Queue": unnamed})
    assert len(queues(clients)) == 1
    assert deploy({"Queue": queue(QueueName="named")}, update=True) == "UPDATE_COMPLETE"
    assert queues(clients) == ["named"]
    assert deploy({"Queue": unnamed}, update=True) == "UPDATE_COMPLETE"
    assert [name == "named" for name in queues(clients)] == [False]


@pytest.mark.rule(UPDATES)
def test_a_first_and_a_last_property_are_changes_of_the_resource(clients, cloudformation, deploy):
    """A resource without properties that gets one is updated, not created again. One that loses its last has its default again."""
    bare = {"Type": "AWS::SQS::Queue"}
    deploy({"Queue": bare})
    made = queues(clients)
    assert deploy({"Queue": queue(VisibilityTimeout=60)}, update=True) == "UPDATE_COMPLETE"
    assert queues(clients) == made
    assert visibility(clients, made[0]) == "60"
    assert deploy({"Queue": bare}, update=True) == "UPDATE_COMPLETE"
    assert queues(clients) == made
    assert visibility(clients, made[0]) == "30"


@pytest.mark.rule(UPDATES)
def test_a_removed_resource_is_deleted(clients, cloudformation, deploy):
    """A resource that is not in the new template is deleted."""
    deploy({"Queue": QUEUE, "Other": queue(QueueName="other")})
    assert deploy({"Queue": QUEUE}, update=True) == "UPDATE_COMPLETE"
    assert queues(clients) == ["made"]


@pytest.mark.rule("AWSCloudFormation/latest/UserGuide/parameters-section-structure.html")
@pytest.mark.parametrize("kind", ["CommaDelimitedList", "List<Number>"])
def test_a_list_parameter_is_changed(cloudformation, kind):
    """A parameter that is a list can be joined, also after an update that changes it, and one that keeps its value."""
    joined = {"Fn::Join": ["-", {"Ref": "Some"}]}
    template = {
        "Parameters": {"Some": {"Type": kind, "Default": "1,2"}, "Name": {"Type": "String", "Default": "a"}},
        "Resources": {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Join": ["-", [{"Ref": "Name"}, joined]]}}}
        },
        "Outputs": {"Joined": {"Value": joined}},
    }
    whole = {"StackName": "stack", "TemplateBody": json.dumps(template)}

    def joined_by(call, *given):
        call(**whole, Parameters=list(given))
        assert ended(cloudformation, "stack").endswith("E_COMPLETE")
        return outputs(cloudformation)["Joined"]

    assert joined_by(cloudformation.create_stack) == "1-2"
    assert joined_by(cloudformation.update_stack, {"ParameterKey": "Some", "ParameterValue": "3, 4"}) == "3-4"
    kept = {"ParameterKey": "Some", "UsePreviousValue": True}
    assert joined_by(cloudformation.update_stack, kept, {"ParameterKey": "Name", "ParameterValue": "b"}) == "3-4"


@pytest.mark.rule(UPDATES)
def test_an_update_without_changes_is_refused(cloudformation, deploy):
    """UpdateStack without any change answers ValidationError: No updates are to be performed."""
    deploy({"Queue": QUEUE})
    with pytest.raises(cloudformation.exceptions.ClientError, match="No updates are to be performed"):
        deploy({"Queue": QUEUE}, update=True)


@pytest.mark.rule(DELETION)
def test_a_retained_resource_stays(clients, cloudformation, deploy):
    """A resource with DeletionPolicy Retain stays when its stack is deleted."""
    deploy({"Queue": {**QUEUE, "DeletionPolicy": "Retain"}, "Other": queue(QueueName="other")})
    cloudformation.delete_stack(StackName="stack")
    ended(cloudformation, "stack")
    assert queues(clients) == ["made"]


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getavailabilityzones.html")
def test_the_zones_of_the_stacks_region_are_listed(cloudformation, deploy):
    """Fn::GetAZs with an empty text lists the zones of the region in which the stack is made."""
    zones = {"Fn::Join": [",", {"Fn::GetAZs": ""}]}
    assert deploy({"Q": QUEUE}, Outputs={"Zones": {"Value": zones}}) == "CREATE_COMPLETE"
    assert outputs(cloudformation)["Zones"].startswith("us-east-1a,us-east-1b")
