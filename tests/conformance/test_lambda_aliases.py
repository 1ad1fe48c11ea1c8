"""Lambda: what an alias points to, and environments that are ready before anybody asks."""

from __future__ import annotations

import pytest

from tests.conformance.functions import wait_until

CONCURRENCY = "lambda/latest/dg/provisioned-concurrency.html"
SOURCE = """
import os
def handler(event, context):
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""


def provisioned(clients, functions):
    """A function whose alias has two environments, once they are ready."""
    functions.create("f", SOURCE)
    client = clients("lambda")
    version = client.publish_version(FunctionName="f")["Version"]
    client.create_alias(FunctionName="f", Name="live", FunctionVersion=version)
    client.put_provisioned_concurrency_config(FunctionName="f", Qualifier="live", ProvisionedConcurrentExecutions=2)

    def look():
        found = client.get_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
        return found if found["Status"] != "IN_PROGRESS" else None

    return wait_until(look, "the environments")


@pytest.mark.rule(CONCURRENCY)
def test_environments_are_allocated_before_they_are_invoked(clients, functions):
    """Provisioned concurrency is IN_PROGRESS until as many environments as requested are available; then it is READY."""
    found = provisioned(clients, functions)
    assert (found["Status"], found["AvailableProvisionedConcurrentExecutions"]) == ("READY", 2)


@pytest.mark.rule(CONCURRENCY)
def test_an_alias_is_served_by_its_environments(clients, functions):
    """An invocation of the alias runs in an environment that was initialised before; one of the function itself does not."""
    provisioned(clients, functions)
    answers = [clients("lambda").invoke(FunctionName=name)["Payload"].read() for name in ("f:live", "f")]
    assert answers == [b'"provisioned-concurrency"', b'"on-demand"']


@pytest.mark.rule("lambda/latest/api/API_PutProvisionedConcurrencyConfig.html")
def test_only_a_version_or_an_alias_has_provisioned_concurrency(clients, functions):
    """$LATEST cannot have provisioned concurrency."""
    functions.create("f", SOURCE)
    client = clients("lambda")
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.put_provisioned_concurrency_config(FunctionName="f", Qualifier="$LATEST", ProvisionedConcurrentExecutions=1)


def template(clients, functions, source, version, ready=None):
    """A function, the version of it that is named so, and an alias of that version."""
    more = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": ready}} if ready else {}
    function = {
        "FunctionName": "f", "Handler": "index.handler", "Runtime": functions.runtime, "Code": {"ZipFile": source},
        "Role": f"arn:aws:iam::{clients.account}:role/test",
    }  # fmt: skip
    alias = {
        "FunctionName": {"Ref": "Function"}, "Name": "live", "FunctionVersion": {"Fn::GetAtt": [version, "Version"]}, **more,
    }  # fmt: skip
    return {
        "Function": {"Type": "AWS::Lambda::Function", "Properties": function},
        version: {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Alias": {"Type": "AWS::Lambda::Alias", "Properties": alias},
    }


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-alias.html")
def test_an_alias_of_a_template_is_ready_with_its_stack(clients, deploy, functions):
    """The stack of an alias with ProvisionedConcurrencyConfig is complete when the environments are ready."""
    role = f"arn:aws:iam::{clients.account}:role/test"
    code = {"ZipFile": SOURCE}
    template = {
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "f",
                "Handler": "index.handler",
                "Runtime": functions.runtime,
                "Role": role,
                "Code": code,
            },
        },
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1},
            },
        },
    }
    assert deploy(template) == "CREATE_COMPLETE"
    found = clients("lambda").get_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
    assert (found["Status"], found["AvailableProvisionedConcurrentExecutions"]) == ("READY", 1)


@pytest.mark.rule("AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-alias.html")
@pytest.mark.parametrize("ready", [None, 1])
def test_an_update_points_an_alias_to_another_version(clients, deploy, functions, ready):
    """An alias whose FunctionVersion changes is updated in place: it runs the code of the new version."""
    new = 'def handler(event, context):\n    return "new"'
    assert deploy(template(clients, functions, SOURCE, "First", ready)) == "CREATE_COMPLETE"
    assert deploy(template(clients, functions, new, "Second", ready), update=True) == "UPDATE_COMPLETE"
    assert clients("lambda").invoke(FunctionName="f:live")["Payload"].read() == b'"new"'
