"""The templates of the sample: what CloudFormation's linter says of them, and what their policies allow."""

from __future__ import annotations

import re

import pytest
from cfnlint.api import ManualArgs, lint

from harness.stack.template import load_template
from tests.loads import PIPELINES

DATA_KEY, DATA_KEY_ARN = {"Ref": "DataKey"}, {"Fn::GetAtt": ["DataKey", "Arn"]}
DATA_KEY_POLICY = {"Ref": "DataKeyPolicy"}
# Where each type of resource that keeps data names its key.
ENCRYPTED = {
    "AWS::DynamoDB::Table": lambda p: p["SSESpecification"]["KMSMasterKeyId"],
    "AWS::Kinesis::Stream": lambda p: p["StreamEncryption"]["KeyId"],
    "AWS::Logs::LogGroup": lambda p: p["KmsKeyId"],
    "AWS::S3::Bucket": lambda p: p["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"][
        "KMSMasterKeyID"
    ],
    "AWS::SNS::Topic": lambda p: p["KmsMasterKeyId"],
    "AWS::SQS::Queue": lambda p: p["KmsMasterKeyId"],
    "AWS::SecretsManager::Secret": lambda p: p["KmsKeyId"],
}
# Which service writes into the system where there is a resource of this type.
SERVICES = {"cloudwatch": "AWS::CloudWatch::Alarm", "sns": "AWS::SNS::Subscription"}
TEMPLATES = sorted(PIPELINES.glob("*/template.yaml"))


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.parent.name)
def path(request):
    return request.param


def test_there_is_a_template_of_every_system():
    assert len(TEMPLATES) == len({path.parent for path in PIPELINES.glob("*/functions") if path.parent.name != "files"})


def test_the_linter_has_no_error_and_no_warning(path):
    found = lint(path.read_text(), config=ManualArgs(regions=["us-east-1"]))
    assert [f"{match.linenumber}: {match.rule.id} {match.message}" for match in found] == []


def statements(resource):
    properties = resource.get("Properties", {})
    documents = [
        *properties.get("Policies", []),
        properties.get("PolicyDocument", {}),
        properties.get("AssumeRolePolicyDocument", {}),
        properties.get("KeyPolicy", {}),
    ]
    for document in documents:
        assert isinstance(document, dict), f"a managed policy: {document}"
        assert "Ref" not in document or document == DATA_KEY_POLICY, f"another managed policy: {document}"
        yield from document.get("PolicyDocument", document).get("Statement", [])


def listed(value):
    return value if isinstance(value, list) else [value]


def test_each_policy_names_its_actions_and_its_resources(path):
    """A wildcard stands for the end of a resource's name alone: of objects below a prefix, tables of a database. What has to be `*` has its reason
    in a comment above the statement."""
    everything = 0
    for name, resource in load_template(path)["Resources"].items():
        for statement in statements(resource):
            assert statement["Effect"] == "Allow", name
            for action in listed(statement["Action"]):
                # The account's root in the policy of a key stands for the policies of IAM.
                assert "*" not in action or (action == "kms:*" and "root" in str(statement["Principal"])), (name, action)
            for allowed in listed(statement.get("Resource", [])):
                text = allowed.get("Fn::Sub", "") if isinstance(allowed, dict) else allowed
                everything += text == "*"
                assert text == "*" or re.fullmatch(r"[^*]*([/:]\*)?", text if isinstance(text, str) else text[0]), (name, allowed)
    assert _with_a_reason(path.read_text()) == everything


def _with_a_reason(text):
    """How many resources are `*`, in whatever quotes, in a statement that has a comment above it."""
    statements_ = re.findall(
        r"#[^\n]*\n\s*- Effect: Allow\n(?:(?!\s*- Effect)[^\n]*\n)*?\s*Resource:\s*(?:-\s*)?[\"']?\*[\"']?[ \t]*(?:#[^\n]*)?\n",
        text,
    )
    return len(statements_)


def test_what_keeps_data_is_encrypted_with_the_systems_key(path):
    for name, resource in load_template(path)["Resources"].items():
        if resource["Type"] in ENCRYPTED:
            assert ENCRYPTED[resource["Type"]](resource["Properties"]) in (DATA_KEY, DATA_KEY_ARN), name


def test_whatever_has_permissions_for_data_has_those_for_its_key(path):
    template = load_template(path)
    logs = template.get("Globals", {}).get("Function", {}).get("LoggingConfig")
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        policies = [*properties.get("Policies", []), *properties.get("ManagedPolicyArns", [])]
        assert not policies or DATA_KEY_POLICY in policies, name
        if resource["Type"] == "AWS::Serverless::Function":
            assert properties.get("LoggingConfig", logs) == {"LogGroup": {"Ref": "FunctionLogs"}}, name


def test_the_services_that_write_for_the_system_may_use_its_key(path):
    """An encrypted queue takes nothing from S3 or SNS, and an encrypted topic nothing from CloudWatch, without it. The emulator does not check that."""
    resources = load_template(path)["Resources"].values()
    types = {resource["Type"] for resource in resources}
    expected = {f"{name}.amazonaws.com" for name, kind in SERVICES.items() if kind in types}
    if any("QueueConfigurations" in resource.get("Properties", {}).get("NotificationConfiguration", {}) for resource in resources):
        expected.add("s3.amazonaws.com")
    statements_ = load_template(path)["Resources"]["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    allowed = {
        service
        for statement in statements_
        if {"kms:Decrypt", "kms:GenerateDataKey"} <= set(listed(statement["Action"]))
        for service in listed(statement["Principal"].get("Service", []))
        if isinstance(service, str)
    }
    assert allowed == expected
    (logs,) = [one for one in statements_ if one["Principal"].get("Service") == {"Fn::Sub": "logs.${AWS::Region}.amazonaws.com"}]
    (group,) = [one["Properties"]["LogGroupName"]["Fn::Sub"] for one in resources if one["Type"] == "AWS::Logs::LogGroup"]
    assert logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]["Fn::Sub"].endswith(f":log-group:{group}")
