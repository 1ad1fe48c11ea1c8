"""Deploying: parameters that fit, local code that is uploaded once, and the reasons of what failed."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import yaml

from harness.emulator.emulator import Abilities
from harness.errors import DeployError, UsageError
from harness.stack import package
from harness.stack.deploy import Wish, deploy

TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Parameters": {"PythonRuntime": {"Type": "String"}, "Size": {"Type": "Number", "Default": "1"}},
    "Globals": {"Function": {"Runtime": {"Ref": "PythonRuntime"}, "CodeUri": "code"}},
    "Resources": {
        "One": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "a.handler"}},
        "Two": {"Type": "AWS::Serverless::Function", "Properties": {"Handler": "b.handler"}},
        "Machine": {"Type": "AWS::Serverless::StateMachine", "Properties": {"DefinitionUri": "machine.asl.json"}},
    },
}


class Cloud:
    """CloudFormation and S3, which answer as they are told."""

    account, region, aws = "000000000000", "us-east-1", False
    # Nobody listens there.
    endpoint = "http://127.0.0.1:1"

    def __init__(self, status="CREATE_COMPLETE", events=()):
        self.status = status
        self.events = list(events)
        self.uploads = []
        self.puts = []
        self.created = None
        self.resources = []

    def __call__(self, _service):
        return self

    exceptions = SimpleNamespace(BucketAlreadyOwnedByYou=KeyError)

    def create_bucket(self, **_):
        pass

    def upload_file(self, path, bucket, key):
        self.uploads.append(key)

    def put_object(self, **request):
        self.puts.append(request["Key"])

    def create_stack(self, **request):
        self.created = request

    def describe_stacks(self, StackName):  # noqa: N803 - as boto3 has it
        outputs = [{"OutputKey": "Out", "OutputValue": "value"}]
        for name, output in json.loads(self.created["TemplateBody"])["Outputs"].items():
            # As CloudFormation: without the outputs whose condition does not hold.
            if output.get("Condition") != "Never":
                outputs.append({"OutputKey": name, "OutputValue": json.dumps(output["Value"])})
        return {"Stacks": [{"StackStatus": self.status, "Outputs": outputs}]}

    def describe_stack_resources(self, **_):
        return {"StackResources": self.resources}

    def describe_stack_events(self, **_):
        return {"StackEvents": self.events}


@pytest.fixture
def template(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEPROOF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "code" / "b.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "machine.asl.json").write_text("{}")
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump(TEMPLATE))
    return path


PARAMETERS = {"PythonRuntime": "python3.13"}


def test_code_that_functions_share_is_uploaded_once_and_the_template_names_it(template):
    cloud = Cloud()
    stack = deploy(cloud, template, PARAMETERS, "name")
    assert stack.outputs == {"Out": "value"}
    assert (len(cloud.uploads), len(cloud.puts)) == (1, 1)
    body = yaml.safe_load(cloud.created["TemplateBody"])["Resources"]
    assert body["One"]["Properties"]["CodeUri"]["Key"] == body["Two"]["Properties"]["CodeUri"]["Key"] == cloud.uploads[0]
    assert body["Machine"]["Properties"]["DefinitionUri"]["Key"] == cloud.puts[0]


def test_the_stack_tells_the_resources_that_are_asked_for_and_shows_no_other_outputs(template):
    resources = TEMPLATE["Resources"] | {"Rare": {"Type": "AWS::SQS::Queue", "Condition": "Never"}}
    template.write_text(yaml.safe_dump(TEMPLATE | {"Resources": resources}))
    stack = deploy(Cloud(), template, PARAMETERS, "name", wish=Wish(("One", "Two.Arn", "OneRole.Arn", "Rare")))
    assert stack.outputs == {"Out": "value"}
    assert {name: json.loads(value) for name, value in stack.resources.items()} == {
        "One": {"Ref": "One"},
        "Two.Arn": {"Fn::GetAtt": ["Two", "Arn"]},
        "OneRole.Arn": {"Fn::GetAtt": ["OneRole", "Arn"]},
    }


def test_what_is_in_python_is_built_for_the_python_that_it_runs_on(template, monkeypatch):
    built, build = [], package.build_package
    monkeypatch.setattr(
        package, "build_package", lambda code, runtime, *others: built.append(runtime) or build(code, runtime, *others)
    )
    assert deploy(Cloud(), template, {"PythonRuntime": "python3.8"}, "name").runtimes == {}
    assert deploy(
        Cloud(), template, {"PythonRuntime": "python3.8"}, "name", wish=Wish(abilities=Abilities("python3.13", None, frozenset()))
    ).runtimes == {"python3.8": "python3.13"}
    assert built == ["python3.8", "python3.13"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({}, "needs a value for parameter PythonRuntime"),
        ({**PARAMETERS, "Sise": "2"}, "has no parameter Sise; it has PythonRuntime, Size"),
    ],
)
def test_parameters_that_do_not_fit_are_named(template, parameters, said):
    with pytest.raises(UsageError, match=said):
        deploy(Cloud(), template, parameters, "name")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("code", "template.yaml:[0-9]+: One: .*/code does not exist"),
        ("machine.asl.json", "template.yaml:[0-9]+: Machine: .*/machine.asl.json: No such file"),
    ],
)
def test_local_files_that_are_missing_are_named_with_the_resource(template, missing, said):
    (template.parent / missing).rename(template.parent / "elsewhere")
    with pytest.raises(UsageError, match=said):
        deploy(Cloud(), template, PARAMETERS, "name")


def test_a_stack_that_fails_names_each_resource_and_its_reason(template):
    events = [
        {"LogicalResourceId": "One", "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "no such role"},
        {"LogicalResourceId": "Two", "ResourceStatus": "CREATE_COMPLETE"},
        {"LogicalResourceId": "name", "ResourceStatus": "CREATE_FAILED"},
    ]
    with pytest.raises(DeployError, match=r"did not deploy \(CREATE_FAILED\):\n  One: no such role$"):
        deploy(Cloud("CREATE_FAILED", events), template, PARAMETERS, "name")


LINES = """Transform: AWS::Serverless-2016-10-31
Conditions: {No: !Equals [a, b]}
Resources:
  Take: {Type: AWS::Serverless::Function, Properties: {CodeUri: code, Handler: a.handler, Runtime: python3.13}}
  Pool: {Type: AWS::Cognito::UserPool}
  Never: {Type: AWS::Cognito::UserPool, Condition: No}
  Queue: {Type: AWS::SQS::Queue}
  Mine: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt Take.Arn}}
"""
ABILITIES = Abilities("python3.13", None, frozenset({"AWS::SQS::Queue"}))


def test_what_the_emulator_does_not_have_is_refused_before_anything_is_deployed(template):
    template.write_text(LINES)
    cloud = Cloud()
    with pytest.raises(UsageError, match=r"template.yaml:5: Pool: AWS::Cognito::UserPool: .*\n--ignore-unsupported"):
        deploy(cloud, template, {}, "name", wish=Wish(abilities=ABILITIES))
    assert cloud.created is None
    (ignored,) = deploy(cloud, template, {}, "name", wish=Wish(abilities=ABILITIES, ignore=True)).ignored
    assert ":5: Pool: " in ignored


def test_what_a_macro_has_made_and_the_emulator_does_not_have_is_no_success(template):
    template.write_text(LINES.replace("Pool: {Type: AWS::Cognito::UserPool}", "Other: {Type: AWS::SQS::Queue}"))
    cloud = Cloud()
    cloud.resources = [{"LogicalResourceId": "Made", "ResourceType": "AWS::CodeDeploy::Application"}]
    with pytest.raises(DeployError, match="Made: AWS::CodeDeploy::Application"):
        deploy(cloud, template, {}, "name", wish=Wish(abilities=ABILITIES))
    assert len(deploy(cloud, template, {}, "name", wish=Wish(abilities=ABILITIES, ignore=True)).ignored) == 1
    # LocalStack without pipeproof does not report its types.
    assert deploy(cloud, template, {}, "name").ignored == ()


def test_macros_among_the_resources_are_no_types_that_are_loaded_ahead(template, monkeypatch):
    asked = []
    monkeypatch.setattr("harness.emulator.ahead.load", lambda _endpoint, _account, _region, types: asked.extend(types))
    macros = {
        "Fn::ForEach::Queues": ["Name", ["A", "B"], {"${Name}Queue": {"Type": "AWS::SQS::Queue"}}],
        "Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/part.yaml"}},
    }
    transforms = ["AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"]
    template.write_text(yaml.safe_dump(TEMPLATE | {"Transform": transforms, "Resources": TEMPLATE["Resources"] | macros}))
    types = frozenset({"AWS::SQS::Queue", *(resource["Type"] for resource in TEMPLATE["Resources"].values())})
    deploy(Cloud(), template, PARAMETERS, "name", wish=Wish(abilities=Abilities("python3.13", None, types)))
    assert sorted(asked) == sorted(resource["Type"] for resource in TEMPLATE["Resources"].values())
