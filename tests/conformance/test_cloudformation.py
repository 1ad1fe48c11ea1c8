"""CloudFormation: custom resources, roll back, updates, policies and exports."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until

CUSTOM = "AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html"
FAILURE = "AWSCloudFormation/latest/UserGuide/stack-failure-options.html"
UPDATES = "AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html"
DELETION = "AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html"
EXPORTS = "AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html"
INTRINSIC = "AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html"


@pytest.fixture
def cloudformation(clients):
    return clients("cloudformation")


def status(cloudformation, name):
    try:
        return cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    except cloudformation.exceptions.ClientError:
        return "DELETE_COMPLETE"


def ended(cloudformation, name):
    return wait_until(lambda: (s := status(cloudformation, name)) and not s.endswith("_IN_PROGRESS") and s, f"{name} to end", 90)


@pytest.fixture
def deploy(cloudformation):
    """Creates or updates a stack; returns its status."""

    def run(resources, *, name="stack", update=False, **template):
        options = {key: template.pop(key) for key in ("Parameters", "OnFailure", "DisableRollback") if key in template}
        call = cloudformation.update_stack if update else cloudformation.create_stack
        call(
            StackName=name,
            TemplateBody=json.dumps({"Resources": resources, **template}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **options,
        )
        return ended(cloudformation, name)

    return run


def outputs(cloudformation, name="stack"):
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}


QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "made"}}
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


def queues(clients):
    return [url.rpartition("/")[2] for url in clients("sqs").list_queues().get("QueueUrls", [])]


@pytest.mark.rule(FAILURE)
def test_a_failed_creation_rolls_back(clients, cloudformation, deploy):
    """When a resource cannot be created the stack rolls back: what was created is deleted."""
    assert deploy({"Queue": QUEUE, "Broken": BROKEN}) == "ROLLBACK_COMPLETE"
    assert queues(clients) == []


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


def queue(**properties):
    return {"Type": "AWS::SQS::Queue", "Properties": properties}


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


@pytest.mark.rule(EXPORTS)
def test_an_import_has_the_exported_value(cloudformation, deploy):
    """Fn::ImportValue has the value that another stack exports."""
    deploy({"Queue": QUEUE}, name="one", Outputs={"Q": {"Value": "exported", "Export": {"Name": "shared"}}})
    deploy({"Other": queue(QueueName="other")}, name="two", Outputs={"I": {"Value": {"Fn::ImportValue": "shared"}}})
    assert outputs(cloudformation, "two") == {"I": "exported"}


@pytest.mark.rule(EXPORTS)
def test_an_export_in_use_is_not_deleted(cloudformation, deploy):
    """A stack whose export another stack imports cannot be deleted."""
    deploy({"Queue": QUEUE}, name="one", Outputs={"Q": {"Value": "exported", "Export": {"Name": "shared"}}})
    deploy({"Other": queue(QueueName={"Fn::ImportValue": "shared"})}, name="two")
    refused = False
    try:
        cloudformation.delete_stack(StackName="one")
    except cloudformation.exceptions.ClientError:
        refused = True
    assert refused or ended(cloudformation, "one") != "DELETE_COMPLETE"
    assert "exported" in [one["Value"] for one in cloudformation.list_exports()["Exports"]]


@pytest.mark.rule(EXPORTS)
def test_an_export_name_is_used_once(cloudformation, deploy):
    """A second stack that exports the same name fails."""
    export = {"Q": {"Value": "v", "Export": {"Name": "shared"}}}
    assert deploy({"Queue": QUEUE}, name="one", Outputs=export) == "CREATE_COMPLETE"
    assert deploy({"Other": queue(QueueName="other")}, name="two", Outputs=export) != "CREATE_COMPLETE"


@pytest.mark.rule(INTRINSIC)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Fn::Sub": "${AWS::Region}-${P}"}, "us-east-1-given"), ({"Fn::Join": ["-", ["a", {"Ref": "P"}]]}, "a-given"),
        ({"Fn::Select": [1, ["a", "b"]]}, "b"), ({"Fn::Select": [0, {"Fn::Split": [",", "x,y"]}]}, "x"),
        ({"Fn::If": ["IsGiven", "yes", "no"]}, "yes"), ({"Fn::FindInMap": ["M", "k", "v"]}, "mapped"),
        ({"Fn::Base64": "abc"}, "YWJj"), ({"Fn::GetAtt": ["Queue", "QueueName"]}, "made"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_intrinsic_functions(cloudformation, deploy, value, expected):
    """Intrinsic functions compute values of the template."""
    template = {
        "Parameters": {"P": {"Type": "String", "Default": "given"}}, "Mappings": {"M": {"k": {"v": "mapped"}}},
        "Conditions": {"IsGiven": {"Fn::Equals": [{"Ref": "P"}, "given"]}}, "Outputs": {"O": {"Value": value}},
    }  # fmt: skip
    parameters = template.pop("Parameters")
    cloudformation.create_stack(
        StackName="stack", TemplateBody=json.dumps({"Resources": {"Queue": QUEUE}, "Parameters": parameters, **template})
    )
    assert ended(cloudformation, "stack") == "CREATE_COMPLETE"
    assert outputs(cloudformation) == {"O": expected}


@pytest.mark.rule("AWSCloudFormation/latest/UserGuide/conditions-section-structure.html")
def test_a_resource_whose_condition_is_false_is_not_created(clients, cloudformation, deploy):
    """A resource with a condition that is false is not created."""
    condition = {"Never": {"Fn::Equals": ["a", "b"]}}
    assert (
        deploy({"Queue": QUEUE, "Other": {**queue(QueueName="other"), "Condition": "Never"}}, Conditions=condition)
        == "CREATE_COMPLETE"
    )
    assert queues(clients) == ["made"]


@pytest.mark.rule("AWSCloudFormation/latest/APIReference/API_CreateStack.html")
def test_a_stack_name_is_used_once(cloudformation, deploy):
    """CreateStack with the name of a stack that exists answers AlreadyExistsException."""
    deploy({"Queue": QUEUE})
    with pytest.raises(cloudformation.exceptions.AlreadyExistsException):
        deploy({"Queue": QUEUE})


@pytest.mark.rule("AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html")
def test_a_change_set_shows_what_it_would_do(clients, cloudformation, deploy):
    """A change set lists its changes, and applies them when it is executed."""
    deploy({"Queue": QUEUE})
    body = json.dumps({"Resources": {"Queue": QUEUE, "Other": queue(QueueName="other")}})
    cloudformation.create_change_set(StackName="stack", ChangeSetName="changes", TemplateBody=body)

    def described():
        found = cloudformation.describe_change_set(StackName="stack", ChangeSetName="changes")
        return found if found["Status"] in {"CREATE_COMPLETE", "FAILED"} else None

    changes = wait_until(described, "the change set")["Changes"]
    assert [(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in changes] == [("Add", "Other")]
    assert queues(clients) == ["made"]
    cloudformation.execute_change_set(StackName="stack", ChangeSetName="changes")
    wait_until(lambda: status(cloudformation, "stack") == "UPDATE_COMPLETE", "the update")
    assert sorted(queues(clients)) == ["made", "other"]
