"""CloudFormation: what is refused before anything is deployed, and exports that would change."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until

PARAMETERS = "AWSCloudFormation/latest/UserGuide/parameters-section-structure.html"
CAPABILITIES = "AWSCloudFormation/latest/APIReference/API_CreateStack.html"
TRUST = {"Version": "2012-10-17", "Statement": []}


@pytest.fixture
def stack(clients):
    """Creates or updates the stack `stack`, or another one; returns its status."""
    client = clients("cloudformation")

    def deploy(template, *, name="stack", parameters=None, capabilities=(), update=False):
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()]
        (client.update_stack if update else client.create_stack)(
            StackName=name, TemplateBody=json.dumps(template), Parameters=given, Capabilities=list(capabilities)
        )

        def ended():
            status = client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if status.endswith("_IN_PROGRESS") else status

        return wait_until(ended, f"{name} to end", 90)

    deploy.client = client
    return deploy


def queue(name="made", **parameters):
    declared = {"Parameters": parameters} if parameters else {}
    return {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}}, **declared}


@pytest.mark.rule(PARAMETERS)
@pytest.mark.parametrize(
    ("declared", "value", "why"),
    [
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "a1", "must match pattern"),
        ({"Type": "String", "MinLength": 2}, "a", "must contain at least 2 characters"),
        ({"Type": "String", "MaxLength": "2"}, "abc", "must contain at most 2 characters"),
        ({"Type": "Number"}, "many", "must be a number"),
        ({"Type": "Number", "MinValue": 1}, "0", "must be a number not less than 1"),
        ({"Type": "Number", "MaxValue": 10}, "10.5", "must be a number not greater than 10"),
        ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "a,c", "must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "x", "ConstraintDescription": "an x"}, "y", "failed to satisfy constraint: an x"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_parameter_beyond_its_bounds_is_refused(stack, declared, value, why):
    """AllowedValues, AllowedPattern, lengths and values of a parameter are checked: a request beyond them is refused and makes no stack."""
    with pytest.raises(stack.client.exceptions.ClientError, match=f"Parameter '?P'? {why}") as refused:
        stack(queue(P=declared), parameters={"P": value})
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    assert stack(queue()) == "CREATE_COMPLETE", "the name is free"


@pytest.mark.rule(PARAMETERS)
def test_parameters_within_their_bounds_are_taken(stack):
    """Values within the bounds, and defaults, are taken."""
    declared = {
        "A": {"Type": "String", "AllowedValues": ["a", "b"], "Default": "b"},
        "B": {"Type": "Number", "MinValue": 1, "MaxValue": 10},
        "C": {"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]},
        "D": {"Type": "String", "AllowedValues": [True, 1]},
    }
    assert stack(queue(**declared), parameters={"B": "10", "C": "b, a", "D": "true"}) == "CREATE_COMPLETE"


@pytest.mark.rule(CAPABILITIES)
def test_a_parameter_that_the_template_has_not_is_refused(stack):
    """A request with a parameter that the template does not declare is refused."""
    with pytest.raises(stack.client.exceptions.ClientError, match=r"Parameters: \[X\] do not exist in the template"):
        stack(queue(), parameters={"X": "1"})


@pytest.mark.rule(CAPABILITIES)
@pytest.mark.parametrize(
    ("name", "given", "needed"),
    [
        ({}, (), "CAPABILITY_IAM"),
        ({"RoleName": "mine"}, (), "CAPABILITY_NAMED_IAM"),
        ({"RoleName": "mine"}, ("CAPABILITY_IAM",), "CAPABILITY_NAMED_IAM"),
        ({}, ("CAPABILITY_IAM",), None),
        ({"RoleName": "mine"}, ("CAPABILITY_NAMED_IAM",), None),
    ],
)
def test_iam_resources_are_to_be_acknowledged(stack, name, given, needed):
    """A template with IAM resources needs CAPABILITY_IAM, with names of them CAPABILITY_NAMED_IAM."""
    template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **name}}}}
    if needed is None:
        assert stack(template, capabilities=given) == "CREATE_COMPLETE"
        return
    with pytest.raises(stack.client.exceptions.InsufficientCapabilitiesException, match=rf"Requires capabilities : \[{needed}\]"):
        stack(template, capabilities=given)


@pytest.mark.rule("AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html")
def test_an_export_in_use_keeps_its_value(stack):
    """The value of an export that another stack imports cannot be changed: the update rolls back."""
    export = {"Outputs": {"O": {"Value": "first", "Export": {"Name": "shared"}}}}
    assert stack({**queue(), **export}, name="one") == "CREATE_COMPLETE"
    assert stack({**queue("other"), "Outputs": {"I": {"Value": {"Fn::ImportValue": "shared"}}}}, name="two") == "CREATE_COMPLETE"
    export["Outputs"]["O"]["Value"] = "second"
    assert stack({**queue(), **export}, name="one", update=True) == "UPDATE_ROLLBACK_COMPLETE"
    assert [one["Value"] for one in stack.client.list_exports()["Exports"]] == ["first"]


QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.mark.rule("AWSCloudFormation/latest/UserGuide/template-anatomy.html")
@pytest.mark.parametrize(
    ("template", "why"),
    [
        ({"Resources": {}}, "At least one Resources member must be defined"),
        ({"Resources": {"Q": QUEUE}, "Outputs": {"O": {"Value": {"Ref": "None"}}}}, "Unresolved resource dependencies"),
        ({"Resources": {"Q": {**QUEUE, "Condition": "None"}}}, "Unresolved condition dependency None"),
        (
            {"Resources": {"A": {**QUEUE, "DependsOn": "B"}, "B": {**QUEUE, "Properties": {"QueueName": {"Fn::Sub": "b-${A.QueueName}"}}}}},
            "Circular dependency between resources: \\[A, B\\]",
        ),
    ],
    ids=["no resources", "an output of nothing", "a condition of nothing", "a circle"],
)  # fmt: skip
def test_a_template_that_is_wrong_is_refused(stack, template, why):
    """A template without resources, with names that are not there or with a circle is refused before anything is made."""
    with pytest.raises(stack.client.exceptions.ClientError, match=why):
        stack(template)
    assert (
        stack.client.list_stacks(StackStatusFilter=["CREATE_COMPLETE", "CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"])["StackSummaries"]
        == []
    )


@pytest.mark.rule("AWSCloudFormation/latest/UserGuide/template-formats.html")
def test_a_template_that_is_no_template(clients):
    """A template that cannot be read is a ValidationError."""
    client = clients("cloudformation")
    for text in ("Resources: {", "just text", "[]"):
        with pytest.raises(client.exceptions.ClientError, match=r"ValidationError.*Template format error"):
            client.create_stack(StackName="stack", TemplateBody=text)


@pytest.mark.rule("AWSCloudFormation/latest/UserGuide/view-stack-events.html")
def test_a_stack_that_was_rolled_back_is_not_updated(stack):
    """A stack in ROLLBACK_COMPLETE can only be deleted."""
    wrong = {"Resources": {"Q": {**QUEUE, "Properties": {"QueueName": "not a name"}}}}
    assert stack(wrong) == "ROLLBACK_COMPLETE"
    with pytest.raises(stack.client.exceptions.ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        stack(queue(), update=True)


@pytest.mark.rule("AWSCloudFormation/latest/UserGuide/using-cfn-protect-stacks.html")
def test_a_protected_stack_is_not_deleted(clients):
    """A stack with termination protection is not deleted before it is taken off."""
    client = clients("cloudformation")
    client.create_stack(StackName="stack", TemplateBody=json.dumps(queue()), EnableTerminationProtection=True)
    client.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig={"Delay": 1})
    with pytest.raises(client.exceptions.ClientError, match="TerminationProtection is enabled"):
        client.delete_stack(StackName="stack")
    client.update_termination_protection(StackName="stack", EnableTerminationProtection=False)
    client.delete_stack(StackName="stack")
    client.get_waiter("stack_delete_complete").wait(StackName="stack", WaiterConfig={"Delay": 1})


def outputs(stack):
    described = stack.client.describe_stacks(StackName="stack")["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])}


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html")
def test_a_name_behind_an_exclamation_mark_stands_for_itself_in_sub(stack):
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "named"}}
    text = {"Fn::Sub": "${!Queue}-${!of.two}-${Queue.QueueName}-${AWS::AccountId}"}
    assert stack({"Resources": {"Queue": queue}, "Outputs": {"Text": {"Value": text}}}) == "CREATE_COMPLETE"
    account = outputs(stack)["Text"].rpartition("-")[2]
    assert outputs(stack)["Text"] == f"${{Queue}}-${{of.two}}-named-{account}"


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-glue-table.html")
def test_databases_and_tables_of_the_catalogue_are_made_changed_and_removed_with_their_stack(stack, clients):
    def template(column):
        storage = {"Columns": [{"Name": column, "Type": "string"}], "Location": "s3://lake/days/"}
        return {
            "Resources": {
                "Base": {"Type": "AWS::Glue::Database", "Properties": {"CatalogId": "123", "DatabaseInput": {"Name": "Lake"}}},
                "Days": {
                    "Type": "AWS::Glue::Table",
                    "Properties": {
                        "CatalogId": "123",
                        "DatabaseName": {"Ref": "Base"},
                        "TableInput": {"Name": "Days", "StorageDescriptor": storage},
                    },
                },
            },
            "Outputs": {"Table": {"Value": {"Ref": "Days"}}},
        }

    glue = clients("glue")
    assert stack(template("first")) == "CREATE_COMPLETE"
    assert outputs(stack)["Table"] == "days"
    assert stack(template("second"), update=True) == "UPDATE_COMPLETE"
    columns = glue.get_table(DatabaseName="lake", Name="days")["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Name"] for column in columns] == ["second"]
    stack.client.delete_stack(StackName="stack")
    wait_until(lambda: not glue.get_databases()["DatabaseList"], "the database to be gone", 60)


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-kinesisfirehose-deliverystream.html")
def test_a_delivery_stream_without_a_name_gets_one(stack, clients):
    destination = {"BucketARN": {"Fn::GetAtt": "Bucket.Arn"}, "RoleARN": "arn:aws:iam::123456789012:role/firehose"}
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "Stream": {
            "Type": "AWS::KinesisFirehose::DeliveryStream",
            "Properties": {"ExtendedS3DestinationConfiguration": destination},
        },
    }
    assert stack({"Resources": resources, "Outputs": {"Name": {"Value": {"Ref": "Stream"}}}}) == "CREATE_COMPLETE"
    assert clients("firehose").list_delivery_streams()["DeliveryStreamNames"] == [outputs(stack)["Name"]]


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html")
def test_a_parameter_is_what_the_property_is(clients, stack):
    """The value of a parameter is used as the type that the resource's property has: a number or a boolean."""
    properties = {
        "AlarmName": "typed", "MetricName": "m", "Namespace": "Own", "Statistic": "Sum", "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1, "Period": {"Ref": "Period"}, "Threshold": {"Ref": "Threshold"}, "ActionsEnabled": {"Ref": "Enabled"},
    }  # fmt: skip
    template = {
        "Parameters": {"Period": {"Type": "Number"}, "Threshold": {"Type": "Number"}, "Enabled": {"Type": "String"}},
        "Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}},
    }
    assert stack(template, parameters={"Period": "60", "Threshold": "1.5", "Enabled": "false"}) == "CREATE_COMPLETE"
    (alarm,) = clients("cloudwatch").describe_alarms(AlarmNames=["typed"])["MetricAlarms"]
    assert (alarm["Period"], alarm["Threshold"], alarm["ActionsEnabled"]) == (60, 1.5, False)


@pytest.mark.rule("serverless-application-model/latest/developerguide/sam-specification-generated-resources-api.html")
def test_a_template_may_name_what_its_transform_makes(clients, stack):
    """A SAM template refers to the resources that SAM makes, such as the stage of an API; a name that is still not there is refused."""
    api = {"Type": "AWS::Serverless::Api", "Properties": {"StageName": "Prod", "DefinitionBody": {"openapi": "3.0.1", "paths": {"/x": {"get": {
        "x-amazon-apigateway-integration": {"type": "mock", "requestTemplates": {"application/json": '{"statusCode": 200}'}}, "responses": {},
    }}}}}}  # fmt: skip
    plan = {"Type": "AWS::ApiGateway::UsagePlan", "DependsOn": "ApiProdStage", "Properties": {
        "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "ApiProdStage"}}],
    }}  # fmt: skip
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {"Api": api, "Plan": plan},
        "Outputs": {"Stage": {"Value": {"Ref": "ApiProdStage"}}},
    }
    assert stack(template, capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]) == "CREATE_COMPLETE"
    (told,) = clients("cloudformation").describe_stacks(StackName="stack")["Stacks"][0]["Outputs"]
    assert told["OutputValue"] == "Prod"
    plan["Properties"]["ApiStages"][0]["Stage"] = {"Ref": "ApiTestStage"}
    with pytest.raises(stack.client.exceptions.ClientError, match="ApiTestStage"):
        assert stack(template, name="other", capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]) == "CREATE_COMPLETE"
