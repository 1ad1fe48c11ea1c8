"""Deploying: parameters that fit, local code that is uploaded once, and the reasons of what failed."""

from __future__ import annotations

import json

import pytest
import yaml

from harness.errors import DeployError, UsageError
from harness.stack import deploy as stacks
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

    account = "000000000000"

    def __init__(self, status="CREATE_COMPLETE", events=()):
        self.status = status
        self.events = list(events)
        self.uploads = []
        self.puts = []
        self.created = None

    def __call__(self, _service):
        return self

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

    def describe_stack_events(self, **_):
        return {"StackEvents": self.events}


@pytest.fixture
def template(tmp_path, monkeypatch):
    monkeypatch.setenv("PIPEPROOF_CACHE", str(tmp_path / "cache"))
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "machine.asl.json").write_text("{}")
    path = tmp_path / "template.yaml"
    path.write_text(yaml.safe_dump(TEMPLATE))
    return path


PARAMETERS = {"PythonRuntime": "python3.13"}


def test_code_that_functions_share_is_uploaded_once_and_the_template_names_it(template):
    cloud = Cloud()
    stack = deploy(cloud, template, PARAMETERS, "name")
    assert stack.outputs == {"Out": "value"}
    assert (len(cloud.uploads), cloud.puts) == (1, ["Machine-machine.asl.json"])
    body = yaml.safe_load(cloud.created["TemplateBody"])["Resources"]
    assert body["One"]["Properties"]["CodeUri"]["Key"] == body["Two"]["Properties"]["CodeUri"]["Key"] == cloud.uploads[0]
    assert body["Machine"]["Properties"]["DefinitionUri"]["Key"] == "Machine-machine.asl.json"


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
    built, build = [], stacks.build_package
    monkeypatch.setattr(
        stacks, "build_package", lambda code, runtime, folder: built.append(runtime) or build(code, runtime, folder)
    )
    assert deploy(Cloud(), template, {"PythonRuntime": "python3.8"}, "name").runtimes == {}
    assert deploy(Cloud(), template, {"PythonRuntime": "python3.8"}, "name", wish=Wish(python="python3.13")).runtimes == {
        "python3.8": "python3.13"
    }
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
    ("missing", "said"), [("code", "One: CodeUri"), ("machine.asl.json", "Machine: DefinitionUri machine.asl.json")]
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
