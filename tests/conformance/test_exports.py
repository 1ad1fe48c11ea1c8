"""CloudFormation: exports, intrinsic functions, conditions, names and change sets."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until
from tests.conformance.stacks import QUEUE, ended, outputs, queue, queues, status

EXPORTS = "AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html"
INTRINSIC = "AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html"


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


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-dashboard.html")
def test_a_dashboard_is_created_changed_and_deleted(clients, cloudformation, deploy):
    """A dashboard in a template is one of CloudWatch's. A changed body is applied; with the stack it is deleted."""

    def template(title, **named):
        widget = {"type": "text", "x": 0, "y": 0, "width": 1, "height": 1, "properties": {"markdown": title}}
        return {
            "Board": {
                "Type": "AWS::CloudWatch::Dashboard",
                "Properties": {"DashboardBody": json.dumps({"widgets": [widget]}), **named},
            }
        }

    def shown():
        cloudwatch = clients("cloudwatch")
        names = [entry["DashboardName"] for entry in cloudwatch.list_dashboards()["DashboardEntries"]]
        bodies = [json.loads(cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]) for name in names]
        return [widget["properties"]["markdown"] for body in bodies for widget in body["widgets"]]

    assert deploy(template("one")) == "CREATE_COMPLETE"
    assert shown() == ["one"]
    assert deploy(template("two"), update=True) == "UPDATE_COMPLETE"
    assert shown() == ["two"]
    assert deploy(template("three", DashboardName="another"), update=True) == "UPDATE_COMPLETE"
    assert [entry["DashboardName"] for entry in clients("cloudwatch").list_dashboards()["DashboardEntries"]] == ["another"]
    assert shown() == ["three"]
    cloudformation.delete_stack(StackName="stack")
    assert ended(cloudformation, "stack") == "DELETE_COMPLETE"
    assert shown() == []
