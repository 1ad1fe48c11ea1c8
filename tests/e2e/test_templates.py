"""Templates as strangers write them: nested stacks, includes, layers of others, transforms. What is deployed is what the template says."""

from __future__ import annotations

import contextlib
import json
import textwrap

import pytest
from botocore.exceptions import ClientError

from harness.errors import UsageError
from harness.stack.deploy import Wish, delete, deploy
from tests.conformance.functions import wait_until
from tests.e2e.commands import KIND

HEAD = "AWSTemplateFormatVersion: '2010-09-09'\nTransform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\n"


@pytest.fixture
def stack(tmp_path, clients, emulator):
    """Deploys these files, of which template.yaml is the template, and returns the stack."""
    made = []

    def stack(files, *, ignore=False, parameters=None):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        made.append(f"stranger-{len(made)}")
        wish = Wish(abilities=emulator.abilities, ignore=ignore)
        return deploy(clients, tmp_path / "template.yaml", parameters or {}, made[-1], wish=wish)

    yield stack
    for name in made:
        with contextlib.suppress(ClientError):
            # One that was refused is not there.
            delete(clients, name)


def invoke(clients, name, event=None):
    answer = clients("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())


NESTED = """
Parameters: {Suffix: {Type: String}}
Resources:
  Letters: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "letters-${Suffix}"}}
  Hello:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: ../hello, Handler: app.handler, Runtime: python3.9}
Outputs:
  Url: {Value: !Ref Letters}
  Function: {Value: !Ref Hello}
"""
CODE = "def handler(event, context):\n    return 'hello from below'\n"


@pytest.mark.parametrize(
    "kind", ["AWS::CloudFormation::Stack, Properties: {TemplateURL", "AWS::Serverless::Application, Properties: {Location"]
)
def test_a_nested_template_is_packaged_and_deployed_with_its_parent(stack, clients, kind):
    parent = f"""{HEAD}
Resources:
  Child: {{Type: {kind}: parts/child.yaml, Parameters: {{Suffix: x}}}}}}
Outputs:
  Url: {{Value: !GetAtt Child.Outputs.Url}}
  Function: {{Value: !GetAtt Child.Outputs.Function}}
"""
    made = stack({"template.yaml": parent, "parts/child.yaml": HEAD + NESTED, "hello/app.py": CODE})
    assert made.outputs["Url"].endswith("/letters-x")
    assert invoke(clients, made.outputs["Function"]) == "hello from below"


def test_a_nested_template_that_is_wrong_is_refused_before_anything_is_deployed(stack):
    parent = "Resources:\n  Child:\n    Type: AWS::CloudFormation::Stack\n    Properties: {TemplateURL: child.yaml}\n"
    with pytest.raises(UsageError, match=r"template.yaml:4: Child: template .*child.yaml: No such file"):
        stack({"template.yaml": parent})
    with pytest.raises(UsageError, match=r"child.yaml:1: Pool: AWS::Cognito::UserPool"):
        stack({"template.yaml": parent, "child.yaml": "Resources: {Pool: {Type: AWS::Cognito::UserPool}}\n"})


def test_an_included_openapi_document_is_the_api(stack, clients):
    parent = f"""{HEAD}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      DefinitionBody: {{Fn::Transform: {{Name: AWS::Include, Parameters: {{Location: openapi.yaml}}}}}}
  Take:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello
      Handler: app.handler
      Runtime: python3.9
      Events: {{Post: {{Type: Api, Properties: {{RestApiId: !Ref Api, Path: /orders, Method: post}}}}}}
Outputs: {{Api: {{Value: !Ref Api}}}}
"""
    openapi = """
        openapi: 3.0.1
        info: {title: orders, version: "1"}
        paths:
          /orders:
            post:
              x-amazon-apigateway-integration:
                type: aws_proxy
                httpMethod: POST
                uri: {Fn::Sub: "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Take.Arn}/invocations"}
    """
    made = stack({"template.yaml": parent, "openapi.yaml": openapi, "hello/app.py": CODE})
    resources = clients("apigateway").get_resources(restApiId=made.outputs["Api"])["items"]
    assert {resource["path"] for resource in resources} == {"/", "/orders"}


def test_layers_of_the_template_and_public_ones_are_found_by_the_function(stack, clients):
    """A layer that a Makefile builds, one with requirements, and Powertools, which is on AWS only."""
    parent = f"""{HEAD}
Globals:
  Function:
    Runtime: python3.8
    Layers: [!Sub "arn:aws:lambda:${{AWS::Region}}:017000801446:layer:AWSLambdaPowertoolsPythonV3-python312-x86_64:7"]
Resources:
  Made:
    Type: AWS::Serverless::LayerVersion
    Metadata: {{BuildMethod: makefile}}
    Properties: {{ContentUri: made}}
  Installed:
    Type: AWS::Serverless::LayerVersion
    Metadata: {{BuildMethod: python3.8}}
    Properties: {{ContentUri: installed}}
  Uses:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: code, Handler: app.handler, Layers: [!Ref Made, !Ref Installed]}}
Outputs: {{Uses: {{Value: !Ref Uses}}}}
"""
    code = """
        import aws_lambda_powertools
        import iniconfig
        import made
        def handler(event, context):
            return [aws_lambda_powertools.Logger.__name__, iniconfig.__name__, made.X]
    """
    files = {
        "template.yaml": parent,
        "made/Makefile": 'build-Made:\n\tmkdir -p "$(ARTIFACTS_DIR)/python"\n\tcp made.py "$(ARTIFACTS_DIR)/python"\n',
        "made/made.py": "X = 'made'\n",
        "installed/requirements.txt": "iniconfig==2.0.0\n",
        "code/app.py": code,
    }
    assert invoke(clients, stack(files).outputs["Uses"]) == ["Logger", "iniconfig", "made"]


def test_language_extensions_make_what_a_loop_says(stack, clients):
    parent = f"""{HEAD}
Mappings: {{Sizes: {{small: {{Seconds: 30}}}}}}
Resources:
  Fn::ForEach::Queues:
    - Name
    - [Orders, Returns]
    - "${{Name}}Queue":
        Type: AWS::SQS::Queue
        Properties:
          QueueName: !Sub "${{Name}}-queue"
          VisibilityTimeout: !FindInMap [Sizes, large, Seconds, DefaultValue: 45]
Outputs:
  Url: {{Value: !Ref OrdersQueue}}
"""
    url = stack({"template.yaml": parent}).outputs["Url"]
    assert url.endswith("/Orders-queue")
    attributes = clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "45"


def test_references_to_parameters_and_secrets_are_resolved(stack, clients):
    clients("ssm").put_parameter(Name="/shop/size", Value="77", Type="String")
    clients("secretsmanager").create_secret(Name="shop", SecretString='{"token": "s3cret"}')
    parent = f"""{HEAD}
Parameters: {{Size: {{Type: "AWS::SSM::Parameter::Value<String>", Default: /shop/size}}}}
Resources:
  Queue: {{Type: AWS::SQS::Queue, Properties: {{VisibilityTimeout: !Ref Size}}}}
  Uses:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: code
      Handler: app.handler
      Runtime: python3.12
      Environment: {{Variables: {{TOKEN: "{{{{resolve:secretsmanager:shop:SecretString:token}}}}", SIZE: "{{{{resolve:ssm:/shop/size}}}}"}}}}
Outputs: {{Uses: {{Value: !Ref Uses}}, Url: {{Value: !Ref Queue}}}}
"""
    code = "import os\ndef handler(event, context):\n    return [os.environ['TOKEN'], os.environ['SIZE']]\n"
    made = stack({"template.yaml": parent, "code/app.py": code})
    assert invoke(clients, made.outputs["Uses"]) == ["s3cret", "77"]
    attributes = clients("sqs").get_queue_attributes(QueueUrl=made.outputs["Url"], AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "77"


def test_what_is_ignored_is_named_and_the_rest_is_deployed(stack, clients):
    parent = f"""{HEAD}
Resources:
  Pool: {{Type: AWS::Cognito::UserPool}}
  Queue: {{Type: AWS::SQS::Queue}}
Outputs: {{Url: {{Value: !Ref Queue}}}}
"""
    made = stack({"template.yaml": parent}, ignore=True)
    assert [one.rpartition("template.yaml:")[2] for one in made.ignored] == [
        "5: Pool: AWS::Cognito::UserPool: the emulator does not have this type of resource"
    ]
    assert clients("sqs").get_queue_attributes(QueueUrl=made.outputs["Url"], AttributeNames=["QueueArn"])


CALLED = """
Resources:
  Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /shop/orders}}
  Errors:
    Type: AWS::Logs::MetricFilter
    Properties:
      LogGroupName: !Ref Log
      FilterPattern: ERROR
      MetricTransformations: [{MetricNamespace: Shop, MetricName: Errors, MetricValue: "1", DefaultValue: 0}]
  Source: {Type: AWS::SQS::Queue}
  Target: {Type: AWS::SQS::Queue}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: pipes.amazonaws.com}, Action: sts:AssumeRole}]}
  Rights:
    Type: AWS::IAM::RolePolicy
    Properties:
      RoleName: !Ref Role
      PolicyName: moves
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}
  Moves:
    Type: AWS::Pipes::Pipe
    Properties: {Source: !GetAtt Source.Arn, Target: !GetAtt Target.Arn, RoleArn: !GetAtt Role.Arn}
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: shop}}
  Past: {Type: AWS::Events::Archive, Properties: {SourceArn: !GetAtt Bus.Arn, RetentionDays: 3, EventPattern: {source: [shop]}}}
Outputs:
  Source: {Value: !Ref Source}
  Target: {Value: !Ref Target}
  Pipe: {Value: !GetAtt Moves.Arn}
  Archive: {Value: !GetAtt Past.Arn}
  Role: {Value: !Ref Role}
"""


def test_resources_that_are_one_call_are_made_work_and_go_with_the_stack(stack, clients):
    made = stack({"template.yaml": CALLED})
    assert (":pipe/" in made.outputs["Pipe"], ":archive/" in made.outputs["Archive"]) == (True, True)
    (found,) = clients("logs").describe_metric_filters(logGroupName="/shop/orders")["metricFilters"]
    assert (found["filterPattern"], found["metricTransformations"][0]["defaultValue"]) == ("ERROR", 0)
    assert clients("iam").list_role_policies(RoleName=made.outputs["Role"])["PolicyNames"] == ["moves"]
    clients("sqs").send_message(QueueUrl=made.outputs["Source"], MessageBody="through the pipe")

    def arrived():
        return clients("sqs").receive_message(QueueUrl=made.outputs["Target"], WaitTimeSeconds=1).get("Messages")

    assert "through the pipe" in wait_until(arrived, "the message at the end of the pipe")[0]["Body"]
    delete(clients, made.name)
    assert clients("pipes").list_pipes()["Pipes"] == []
    assert clients("events").list_archives()["Archives"] == []


@pytest.mark.skipif(KIND == "embedded", reason="the machine of an embedded emulator may have no Node.js: test_node.py")
def test_the_container_has_node_where_it_was_asked_for(emulator):
    assert emulator.abilities.node is not None
