"""Permissions as AWS checks them: a call that no policy allows is named with the policy that is missing, and denied where that is asked for."""

from __future__ import annotations

import contextlib
import json

import pytest
import urllib3
import yaml
from botocore.exceptions import ClientError

from harness.emulator.clients import Clients
from harness.emulator.permissions import PermissionsClient
from tests.conformance.functions import wait_until, zipped
from tests.e2e.commands import ROOT
from tests.e2e.conftest import new_account

PROJECT = ROOT / "tests" / "e2e" / "project"
WRITES = {"DynamoDBCrudPolicy": {"TableName": {"Ref": "Table"}}}


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (!Ref, !GetAtt, !Sub) as the long ones."""


Loader.add_constructor("!Ref", lambda loader, node: {"Ref": loader.construct_scalar(node)})
Loader.add_constructor("!Sub", lambda loader, node: {"Fn::Sub": loader.construct_scalar(node)})
Loader.add_constructor("!GetAtt", lambda loader, node: {"Fn::GetAtt": loader.construct_scalar(node).split(".")})


def scenario(tmp_path, change, **keys):
    """A project whose template is changed by a function of its resources."""
    template = yaml.load((PROJECT / "template.yaml").read_text(), Loader)
    change(template["Resources"])
    template["Globals"]["Function"]["CodeUri"] = str(PROJECT / "functions")
    (tmp_path / "template.yaml").write_text(yaml.safe_dump(template))
    document = {
        "description": "A project of somebody's own.",
        "stack": {"template": "template.yaml", "parameters": {"PythonRuntime": "${emulator.python_runtime}"}},
        "source": {"kind": "synthetic", "records": 12, "id": "id", "fields": {"id": {"type": "uuid"}, "name": {"type": "name"}}},
        "send": {"to": "sqs", "queue_url": "${outputs.InQueue}"},
        "probes": [
            {"kind": "dynamodb", "table": "${outputs.Table}", "id": "id"},
            {"kind": "sqs", "queue_url": "${outputs.DeadQueue}", "preset": "sqs_redrive"},
        ],
        **keys,
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(document))
    return "mine.yaml"


def strip(resources):
    """Takes away the function's permission to write to its table."""
    resources["FromQueue"]["Properties"]["Policies"] = []


def test_a_function_without_a_permission_that_its_code_needs_is_told(tmp_path, run):
    code, output, result = run(tmp_path, "run", scenario(tmp_path, strip))
    assert code == 0, output
    assert result["outcome"]["stored"] == 12, "told, and let through"
    assert "AWS would deny these calls" in output
    (denied,) = result["permissions"]["denied"]
    assert (denied["who"], denied["action"], denied["calls"]) == ("FromQueue", "dynamodb:PutItem", 12)
    assert "no policy of role FromQueueRole allows it" in denied["why"]


def test_and_is_denied_what_it_has_no_permission_for_where_that_is_asked_for(tmp_path, run):
    code, output, result = run(tmp_path, "run", scenario(tmp_path, strip, iam="enforce"))
    assert code == 1, output
    assert (result["outcome"]["stored"], result["anomalies"]["misrouted"]) == (0, 12)
    assert "FromQueue: dynamodb:PutItem on arn:aws:dynamodb:" in output
    code, output, result = run(tmp_path, "run", scenario(tmp_path, lambda _: None, iam="enforce"))
    assert code == 0, output
    assert result["permissions"] == {"mode": "enforce", "denied": []}


def test_conditions_and_an_explicit_deny_are_kept(tmp_path, run):
    def change(resources):
        only_elsewhere = {"StringEquals": {"aws:RequestedRegion": "eu-central-1"}}
        statement = {"Effect": "Deny", "Action": "dynamodb:Put*", "Resource": "*", "Condition": only_elsewhere}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        resources["FromQueue"]["Properties"]["Policies"] = [WRITES, policy]

    code, output, _ = run(tmp_path, "run", scenario(tmp_path, change, iam="enforce"))
    assert code == 0, output

    def change_back(resources):
        change(resources)
        del resources["FromQueue"]["Properties"]["Policies"][1]["Statement"][0]["Condition"]

    code, output, result = run(tmp_path, "run", scenario(tmp_path, change_back, iam="enforce"))
    assert code == 1, output
    assert "an explicit deny in" in result["permissions"]["denied"][0]["why"]


def test_a_mapping_whose_function_may_not_read_the_queue_is_refused(tmp_path, run):
    def change(resources):
        resources["FromQueue"]["Properties"]["Role"] = {"Fn::GetAtt": ["Bare", "Arn"]}
        del resources["FromQueue"]["Properties"]["Policies"]
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        resources["Bare"] = {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
        }

    code, output, result = run(tmp_path, "run", scenario(tmp_path, change, iam="enforce"))
    assert code == 2, output
    assert "sqs:DeleteMessage" in result["reasons"][0]
    assert {denied["action"] for denied in result["permissions"]["denied"]} >= {"sqs:DeleteMessage"}


@pytest.fixture
def enforced(emulator):
    clients = Clients(emulator.endpoint, new_account())
    permissions = PermissionsClient(emulator.endpoint, clients.account)
    permissions.begin("enforce")
    yield clients, permissions
    permissions.begin("off")


def test_a_topic_delivers_to_a_queue_only_as_the_queues_policy_allows(enforced):
    clients, permissions = enforced
    sns, sqs = clients("sns"), clients("sqs")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:queue"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="refused")
    wait_until(permissions.denied, "a denial")
    (denied,) = permissions.denied()
    assert (denied.who, denied.action, denied.resource) == ("sns.amazonaws.com", "sqs:SendMessage", arn)
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}

    def publish(source):
        statement = {**allow, "Condition": {"ArnLike": {"aws:SourceArn": source}}}
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [statement]})})
        sns.publish(TopicArn=topic, Message=source)

    publish("arn:aws:sns:*:*:another")
    # SNS delivers after Publish has been answered: only now may the policy be changed.
    wait_until(lambda: permissions.denied()[0].calls == 2, "the second denial")
    publish(topic)
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert [json.loads(message["Body"])["Message"] for message in messages] == [topic]


def test_a_pipe_needs_what_aws_documents_and_no_more(enforced):
    clients, permissions = enforced
    sqs, account = clients("sqs"), clients.account
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("from", "to")]
    source, target = (f"arn:aws:sqs:us-east-1:{account}:{name}" for name in ("from", "to"))
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html
    reads = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    statements = [
        {"Effect": "Allow", "Action": reads, "Resource": source},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": target},
    ]
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    iam = clients("iam")
    role = iam.create_role(RoleName="pipe", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(
        RoleName="pipe", PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements})
    )
    clients("pipes").create_pipe(Name="pipe", RoleArn=role, Source=source, Target=target)
    sqs.send_message(QueueUrl=urls[0], MessageBody="hello")

    def arrived():
        return sqs.receive_message(QueueUrl=urls[1]).get("Messages")

    (message,) = wait_until(arrived, "the message")
    assert json.loads(message["Body"])["body"] == "hello"
    assert not permissions.denied()
    clients("pipes").delete_pipe(Name="pipe")


def test_a_bucket_notifies_a_queue_only_as_the_queues_policy_allows(enforced):
    clients, _ = enforced
    s3, sqs = clients("s3"), clients("sqs")
    bucket = f"notifies-{clients.account}"
    s3.create_bucket(Bucket=bucket)
    url = sqs.create_queue(QueueName="uploads")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{clients.account}:uploads"
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
    allow = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps({"Statement": [allow]})})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)


def role(clients, name, *statements):
    """Creates a role for functions, or changes what it may do."""
    iam, trust = clients("iam"), {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}))
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)


def logging_function(clients, emulator, name):
    """Creates a function that may write its log, and does nothing else."""
    role(clients, "logs", {"Effect": "Allow", "Action": "logs:*", "Resource": "*"})
    clients("lambda").create_function(
        FunctionName=name, Runtime=emulator.python_runtime, Role=f"arn:aws:iam::{clients.account}:role/logs", Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": "def handler(event, context):\n    return 'done'\n"})},
    )  # fmt: skip
    clients("lambda").get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def refused(permissions):
    return [denied for denied in permissions.denied() if denied.action == "lambda:InvokeFunction"]


def test_a_topic_invokes_a_function_only_as_its_policy_allows(enforced, emulator):
    clients, permissions = enforced
    functions, sns = clients("lambda"), clients("sns")
    logging_function(clients, emulator, "told")
    topic = sns.create_topic(Name="topic")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"arn:aws:lambda:us-east-1:{clients.account}:function:told")
    sns.publish(TopicArn=topic, Message="refused")
    wait_until(lambda: refused(permissions), "a denial")
    functions.add_permission(
        FunctionName="told", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com", SourceArn=topic
    )
    before = refused(permissions)
    sns.publish(TopicArn=topic, Message="taken")
    groups = clients("logs")
    wait_until(lambda: groups.describe_log_groups(logGroupNamePrefix="/aws/lambda/told")["logGroups"], "an invocation")
    assert refused(permissions) == before


def test_an_http_api_invokes_a_function_only_as_its_policy_allows(enforced, emulator):
    clients, permissions = enforced
    functions, gateway = clients("lambda"), clients("apigatewayv2")
    logging_function(clients, emulator, "asked")
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:asked"
    api = gateway.create_api(Name="api", ProtocolType="HTTP", Target=arn)["ApiId"]

    def status():
        return urllib3.request("GET", f"{emulator.endpoint}/_aws/execute-api/{api}/orders", timeout=30).status

    assert status() == 500
    assert [(denied.who, denied.resource) for denied in refused(permissions)] == [("apigateway.amazonaws.com", arn)]
    source = f"arn:aws:execute-api:us-east-1:{clients.account}:{api}"
    allow = {"FunctionName": "asked", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    functions.add_permission(StatementId="another", SourceArn=f"{source}/*/GET/another", **allow)
    assert status() == 500
    functions.add_permission(StatementId="api", SourceArn=f"{source}/*", **allow)
    assert status() == 200


def test_who_may_not_list_a_bucket_is_not_told_that_an_object_is_missing(enforced, emulator):
    clients, permissions = enforced
    functions, s3 = clients("lambda"), clients("s3")
    bucket = f"listed-{clients.account}"
    s3.create_bucket(Bucket=bucket)
    logs = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
    reads = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    lists = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}
    source = (
        "import boto3\nfrom botocore.exceptions import ClientError\n"
        "def handler(bucket, context):\n"
        "    try:\n        boto3.client('s3').get_object(Bucket=bucket, Key='missing')\n"
        "    except ClientError as error:\n        return error.response['Error']['Code']\n"
    )
    role(clients, "reader", logs)
    functions.create_function(
        FunctionName="reads", Runtime=emulator.python_runtime, Role=f"arn:aws:iam::{clients.account}:role/reader",
        Handler="app.handler", Code={"ZipFile": zipped({"app.py": source})}, Timeout=30,
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="reads", WaiterConfig={"Delay": 1})
    for statements, said in (([reads], "AccessDenied"), ([reads, lists], "NoSuchKey")):
        role(clients, "reader", logs, *statements)
        answer = functions.invoke(FunctionName="reads", Payload=json.dumps(bucket).encode())
        assert json.loads(answer["Payload"].read()) == said
    assert [denied.action for denied in permissions.denied()] == ["s3:ListBucket"]
