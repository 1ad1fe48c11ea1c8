"""CloudFormation: each property of a resource is set when the resource is created, and again when an update removes it."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until
from tests.conformance.stacks import outputs

REFERENCE = "AWSCloudFormation/latest/TemplateReference"
ROLE = "arn:aws:iam::000000000000:role/r"


def rule(resource):
    return pytest.mark.rule(f"{REFERENCE}/aws-resource-{resource}.html")


def function(**properties):
    code = {"ZipFile": "def handler(event, context):\n    return event\n"}
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "f",
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": ROLE,
            "Code": code,
            **properties,
        },
    }


@rule("lambda-function")
def test_reserved_concurrency_of_a_template_is_reserved(deploy, clients):
    """ReservedConcurrentExecutions: creation reserves it, an update changes it, and one without it gives it back."""
    found = lambda: clients("lambda").get_function_concurrency(FunctionName="f").get("ReservedConcurrentExecutions")  # noqa: E731
    deploy({"F": function(ReservedConcurrentExecutions=2)})
    assert found() == 2
    deploy({"F": function(ReservedConcurrentExecutions=0)}, update=True)
    assert found() == 0
    deploy({"F": function()}, update=True)
    assert found() is None


@rule("lambda-function")
def test_removed_properties_of_a_function_are_their_defaults_again(deploy, clients):
    """A property that an update removes has its default again."""
    deploy({"F": function(Timeout=20, MemorySize=256, Description="first", Environment={"Variables": {"A": "1"}})})
    deploy({"F": function()}, update=True)
    found = clients("lambda").get_function_configuration(FunctionName="f")
    assert (found["Timeout"], found["MemorySize"], found["Description"]) == (3, 128, "")
    assert not found.get("Environment", {}).get("Variables")


@rule("lambda-function")
def test_ephemeral_storage_of_a_template_is_set(deploy, clients):
    """EphemeralStorage is the size of /tmp."""
    deploy({"F": function(EphemeralStorage={"Size": 1024})})
    assert clients("lambda").get_function_configuration(FunctionName="f")["EphemeralStorage"] == {"Size": 1024}


@rule("lambda-permission")
def test_a_permission_of_a_template_has_its_conditions(deploy, clients):
    """SourceAccount is a condition of the statement, beside SourceArn."""
    arn = "arn:aws:s3:::bucket"
    permission = {
        "FunctionName": {"Ref": "F"},
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": arn,
    }
    deploy(
        {"F": function(), "P": {"Type": "AWS::Lambda::Permission", "Properties": {**permission, "SourceAccount": "123456789012"}}}
    )
    (statement,) = json.loads(clients("lambda").get_policy(FunctionName="f")["Policy"])["Statement"]
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceAccount": "123456789012"}, "ArnLike": {"AWS:SourceArn": arn}}


@rule("kinesis-stream")
def test_a_stream_of_a_template_is_encrypted_and_keeps_its_records(deploy, clients):
    """StreamEncryption, RetentionPeriodHours and Tags of a stream."""
    properties = {
        "Name": "s", "ShardCount": 1, "RetentionPeriodHours": 48, "StreamEncryption": {"EncryptionType": "KMS", "KeyId": "alias/aws/kinesis"},
        "Tags": [{"Key": "a", "Value": "b"}],
    }  # fmt: skip
    assert deploy({"S": {"Type": "AWS::Kinesis::Stream", "Properties": properties}}) == "CREATE_COMPLETE"
    found = clients("kinesis").describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]
    assert (found["RetentionPeriodHours"], found["EncryptionType"], found["StreamStatus"]) == (48, "KMS", "ACTIVE")
    assert clients("kinesis").list_tags_for_stream(StreamName="s")["Tags"] == [{"Key": "a", "Value": "b"}]


@rule("kinesis-stream")
@pytest.mark.parametrize(("properties", "mode", "shards"), [
    ({"ShardCount": 1}, "PROVISIONED", 1), ({"ShardCount": 3}, "PROVISIONED", 3), ({"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}, "ON_DEMAND", 4),
], ids=["one", "three", "on demand"])  # fmt: skip
def test_a_stream_of_a_template_has_the_shards_that_it_says(deploy, clients, properties, mode, shards):
    """A stream with ShardCount is provisioned unless it says otherwise; one on demand begins with four shards."""
    deploy({"S": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "s", **properties}}})
    found = clients("kinesis").describe_stream_summary(StreamName="s")["StreamDescriptionSummary"]
    assert (found["StreamModeDetails"]["StreamMode"], found["OpenShardCount"]) == (mode, shards)


@rule("s3-bucket")
def test_a_bucket_of_a_template_is_private(deploy, clients):
    """A bucket without AccessControl grants its owner alone."""
    deploy({"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "private-bucket-of-a-template"}}})
    grants = clients("s3").get_bucket_acl(Bucket="private-bucket-of-a-template")["Grants"]
    assert [one["Grantee"]["Type"] for one in grants] == ["CanonicalUser"]


@rule("logs-loggroup")
def test_a_log_group_of_a_template_has_its_retention_and_its_key(deploy, clients):
    """RetentionInDays and KmsKeyId of a log group; an update that has no key takes it away."""
    key = f"arn:aws:kms:us-east-1:{clients.account}:key/1"
    group = {"LogGroupName": "g", "RetentionInDays": 7}
    found = lambda: clients("logs").describe_log_groups(logGroupNamePrefix="g")["logGroups"][0]  # noqa: E731
    deploy({"G": {"Type": "AWS::Logs::LogGroup", "Properties": {**group, "KmsKeyId": key}}})
    assert (found()["retentionInDays"], found()["kmsKeyId"]) == (7, key)
    deploy({"G": {"Type": "AWS::Logs::LogGroup", "Properties": group}}, update=True)
    assert "kmsKeyId" not in found()


@rule("logs-subscriptionfilter")
def test_two_subscription_filters_of_a_group_are_two(deploy, clients):
    """A log group may have two subscription filters, each with its own name and role."""
    template = {
        "G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "g"}},
        "S": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}},
    }
    for name, pattern in (("One", "ERROR"), ("Two", "WARN")):
        properties = {
            "LogGroupName": {"Ref": "G"}, "FilterName": name, "FilterPattern": pattern, "DestinationArn": {"Fn::GetAtt": ["S", "Arn"]},
            "RoleArn": f"arn:aws:iam::{clients.account}:role/r",
        }  # fmt: skip
        template[name] = {"Type": "AWS::Logs::SubscriptionFilter", "Properties": properties}
    assert deploy(template) == "CREATE_COMPLETE"
    found = lambda: {  # noqa: E731
        (one["filterName"], one["filterPattern"])
        for one in clients("logs").describe_subscription_filters(logGroupName="g")["subscriptionFilters"]
    }
    assert found() == {("One", "ERROR"), ("Two", "WARN")}
    template["Two"]["Properties"]["FilterPattern"] = "INFO"
    del template["One"]
    deploy(template, update=True)
    assert found() == {("Two", "INFO")}


@rule("dynamodb-table")
def test_a_table_of_a_template_is_protected_and_backed_up(deploy, clients):
    """DeletionProtectionEnabled and PointInTimeRecoverySpecification of a table."""
    properties = {
        "TableName": "t", "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}], "DeletionProtectionEnabled": True,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }  # fmt: skip
    assert deploy({"T": {"Type": "AWS::DynamoDB::Table", "Properties": properties}}) == "CREATE_COMPLETE"
    dynamodb = clients("dynamodb")
    assert dynamodb.describe_table(TableName="t")["Table"]["DeletionProtectionEnabled"] is True
    backups = dynamodb.describe_continuous_backups(TableName="t")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


@rule("s3-bucket")
def test_a_bucket_of_a_template_has_its_configurations(deploy, clients):
    """BucketEncryption, LifecycleConfiguration, OwnershipControls and PublicAccessBlockConfiguration of a bucket."""
    block = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)
    properties = {
        "BucketName": "bucket-of-properties",
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]},
        "LifecycleConfiguration": {"Rules": [{
            "Id": "old", "Status": "Enabled", "Prefix": "raw/", "ExpirationInDays": 30, "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
            "Transitions": [{"StorageClass": "GLACIER", "TransitionInDays": 10}], "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }]},
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "PublicAccessBlockConfiguration": block,
    }  # fmt: skip
    assert deploy({"B": {"Type": "AWS::S3::Bucket", "Properties": properties}}) == "CREATE_COMPLETE"
    s3, bucket = clients("s3"), {"Bucket": "bucket-of-properties"}
    (encrypted,) = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encrypted["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert encrypted["BucketKeyEnabled"] is True
    (kept,) = s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    assert kept == {
        "ID": "old", "Status": "Enabled", "Filter": {"Prefix": "raw/"}, "Expiration": {"Days": 30}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3},
        "Transitions": [{"StorageClass": "GLACIER", "Days": 10}], "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }  # fmt: skip
    assert s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"] == properties["OwnershipControls"]
    assert s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"] == block


@rule("sns-subscription")
def test_a_subscription_of_a_template_has_its_role(deploy, clients):
    """SubscriptionRoleArn: with which a topic writes into a delivery stream."""
    arn = f"arn:aws:firehose:us-east-1:{clients.account}:deliverystream/d"
    properties = {"TopicArn": {"Ref": "T"}, "Protocol": "firehose", "Endpoint": arn, "SubscriptionRoleArn": ROLE}
    template = {
        "T": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}},
        "S": {"Type": "AWS::SNS::Subscription", "Properties": properties},
    }
    assert deploy(template, Outputs={"Arn": {"Value": {"Ref": "S"}}}) == "CREATE_COMPLETE"
    found = clients("sns").get_subscription_attributes(SubscriptionArn=outputs(clients("cloudformation"))["Arn"])["Attributes"]
    assert found["SubscriptionRoleArn"] == ROLE


@rule("events-rule")
def test_a_rule_of_a_template_has_its_role(deploy, clients):
    """RoleArn of a rule, beside its pattern and its description."""
    properties = {"Name": "r", "RoleArn": ROLE, "EventPattern": {"source": ["mine"]}, "Description": "d", "State": "DISABLED"}
    deploy({"R": {"Type": "AWS::Events::Rule", "Properties": properties}})
    found = clients("events").describe_rule(Name="r")
    assert (found["RoleArn"], found["Description"], found["State"], json.loads(found["EventPattern"])) == (
        ROLE,
        "d",
        "DISABLED",
        {"source": ["mine"]},
    )


@pytest.mark.rule(f"{REFERENCE}/aws-resource-ses-emailidentity.html")
def test_an_email_identity_of_a_template_may_send(deploy, clients):
    """AWS::SES::EmailIdentity: the address is verified, and e-mail goes from it."""
    assert (
        deploy({"I": {"Type": "AWS::SES::EmailIdentity", "Properties": {"EmailIdentity": "from@example.com"}}}) == "CREATE_COMPLETE"
    )
    message = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
    sent = wait_until(
        lambda: clients("ses").send_email(
            Source="from@example.com", Destination={"ToAddresses": ["to@example.com"]}, Message=message
        ),
        "the e-mail",
    )
    assert sent["MessageId"]


@rule("events-connection")
def test_a_connection_and_an_api_destination_need_no_name(deploy, clients):
    """Name of a connection and of an API destination is optional: CloudFormation makes one."""
    key = {"ApiKeyName": "k", "ApiKeyValue": "v"}
    connection = {"AuthorizationType": "API_KEY", "AuthParameters": {"ApiKeyAuthParameters": key}}
    destination = {
        "ConnectionArn": {"Fn::GetAtt": ["C", "Arn"]},
        "HttpMethod": "POST",
        "InvocationEndpoint": "https://example.org/",
    }
    template = {
        "C": {"Type": "AWS::Events::Connection", "Properties": connection},
        "D": {"Type": "AWS::Events::ApiDestination", "Properties": destination},
    }
    assert deploy(template) == "CREATE_COMPLETE"
    assert clients("events").list_connections()["Connections"][0]["Name"].startswith("stack-C-")
    assert clients("events").list_api_destinations()["ApiDestinations"][0]["Name"].startswith("stack-D-")


@rule("stepfunctions-statemachine")
def test_a_state_machine_of_a_template_has_its_tags(deploy, clients):
    """Tags of a state machine."""
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    properties = {"StateMachineName": "m", "RoleArn": ROLE, "DefinitionString": definition, "Tags": [{"Key": "a", "Value": "b"}]}
    deploy({"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}, Outputs={"Arn": {"Value": {"Ref": "M"}}})
    found = clients("stepfunctions").list_tags_for_resource(resourceArn=outputs(clients("cloudformation"))["Arn"])
    assert found["tags"] == [{"key": "a", "value": "b"}]
