"""`--target aws`, with an emulator that is taken for AWS: a run asks it for nothing that AWS does not answer, and leaves nothing there."""

import json
import os
import signal
import socket

import pytest

from harness.aws.schedules import AwsSchedules
from harness.aws.teardown import leftovers
from harness.emulator.clients import Clients
from harness.emulator.faults import FaultClient
from harness.emulator.ports import free_port
from harness.faults.plan import load
from harness.scenario.catalogue import find_scenario
from harness.stack import deploy
from tests.conformance.functions import wait_until
from tests.e2e.commands import KIND, pipeproof, result, start
from tests.e2e.conftest import new_account
from tests.e2e.waiting import SETTINGS, write_waiting_project

REGION = "eu-central-1"

pytestmark = pytest.mark.skipif(KIND == "container", reason="the way to AWS does not depend on which emulator is taken for it")


class Account:
    """An account at the emulator, with credentials that AWS's SDK finds."""

    def __init__(self, endpoint):
        self.id = new_account()
        self.clients = Clients(endpoint, self.id, REGION)
        self.options = ("--target", "aws", "--account", self.id, "--region", REGION, "--endpoint-url", endpoint, "--settle", "3s")
        self.env = {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": "dummy", "AWS_EC2_METADATA_DISABLED": "true"}

    def run(self, cwd, *args):
        return pipeproof(cwd, "run", *args, *self.options, **self.env)

    def sweep(self, cwd, *args):
        code, output, _ = pipeproof(cwd, "sweep", *self.options[2:8], *args, **self.env)
        return code, output

    def stacks(self):
        found = self.clients("cloudformation").list_stacks()["StackSummaries"]
        return [one["StackName"] for one in found if one["StackStatus"] != "DELETE_COMPLETE"]

    def made(self):
        """All that stands there."""
        return [
            *self.stacks(),
            *(one["Name"] for one in self.clients("s3").list_buckets()["Buckets"]),
            *(one["logGroupName"] for one in self.clients("logs").describe_log_groups()["logGroups"]),
        ]


@pytest.fixture
def aws(emulator):
    return Account(emulator.endpoint)


@pytest.fixture
def fails(aws):
    """Lets AWS refuse an operation."""
    gateway = FaultClient(aws.clients.endpoint, aws.id)

    def refuse(service, operation):
        gateway.arm(load([{"id": "denied", "kind": "error", "service": service, "operation": operation, "code": "AccessDenied",
                           "status": 403, "calls": "all"}]))  # fmt: skip
        return gateway

    yield refuse
    gateway.disarm()


def told(cwd):
    """What a run says of its records."""
    found = result(cwd)
    return {key: found[key] for key in ("payload_sha256", "ingress", "outcome", "anomalies", "classes")}


def served():
    """The options for an address at which what is taken for AWS reaches this machine."""
    port = free_port()
    return "--served-url", f"http://127.0.0.1:{port}/", "--served-port", port


def with_parameters(path, tmp_path, **values):
    """Writes a copy of a scenario that gives its stack these parameters. Returns the path of the copy."""
    text = path.read_text().replace("../pipeline", str(path.parents[1] / "pipeline"))
    lines = "".join(f'    {name}: "{value}"\n' for name, value in values.items())
    copied = tmp_path / path.name
    copied.write_text(text.replace("  parameters:\n", f"  parameters:\n{lines}", 1))
    return copied


# Firehose waits for a minute at least before it delivers, and what comes then is waited for as long.
_BY_NIGHT = pytest.mark.skipif(not os.environ.get("PIPEPROOF_NIGHTLY"), reason="takes minutes: tox -e nightly")


@pytest.mark.parametrize(
    "name",
    [
        "approvals",
        pytest.param("bronze", marks=_BY_NIGHT),
        "clickstream-api",
        "clickstream-smoke",
        "customers",
        "customers-api",
        "lake",
        "logs",
        "orders-smoke",
        "purchases",
        "records",
        "students",
    ],
)
def test_the_account_is_that_of_an_ordinary_run(tmp_path, run, aws, name):
    scenario = with_parameters(find_scenario(name)[1], tmp_path, BufferSeconds=60) if name == "bronze" else name
    ordinary, there = tmp_path / "ordinary", tmp_path / "aws"
    for cwd in (ordinary, there):
        cwd.mkdir()
    # Its API has another answer for the 22nd request.
    records = 1000 if name == "customers-api" else 200
    _, output, found = run(ordinary, "run", scenario, "--records", records)
    assert found["verdict"] == "pass", output
    code, output, found = aws.run(there, scenario, "--records", records, *(served() if name.startswith("customers") else ()))
    if name == "orders-smoke":
        assert (code, found["reasons"]) == (2, ["check links sent could not be made: AWS does not report which e-mails were sent"])
    else:
        assert (code, found["verdict"]) == (0, "pass"), output
    assert told(there) == told(ordinary)
    assert found["emulator"]["left"] == []
    assert aws.made() == []


def test_what_is_fetched_needs_an_address_that_aws_reaches(tmp_path, aws):
    code, output, _ = aws.run(tmp_path, "customers")
    assert code == 64
    assert "send: to: served: --served-url must say where AWS reaches this machine" in output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, output, _ = aws.run(tmp_path, "customers", "--served-url", "https://tunnel.example", "--served-port", port)
    assert code == 64
    assert f"--served-port {port}: Address already in use" in output
    assert aws.made() == []


def test_faults_of_calls_and_functions_are_refused_by_name(tmp_path, aws):
    code, output, _ = aws.run(tmp_path, "students-faults")
    assert code == 64
    assert "faults: writes-throttled (throttle): single calls and invocations on AWS cannot be disturbed from here" in output
    assert aws.made() == []


@pytest.mark.parametrize("fault", SETTINGS)
def test_a_setting_of_a_function_is_a_fault_on_aws_too(tmp_path, aws, fault):
    write_waiting_project(tmp_path, fault)
    code, output, found = aws.run(tmp_path, "orders.yaml", "--records", 4)
    assert (code, found["outcome"]["stored"]) == (0, 4), output
    assert found["faults"][0]["fired"] > 0
    assert aws.made() == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--account": "999999999999"}, "these credentials are of account {account}, and --account says 999999999999"),
        ({"--region": "eu-centrl-1"}, "--region eu-centrl-1: AWS has no such region; did you mean eu-central-1"),
        ({"--max-usd": "0.001"}, "--max-usd 0.001: this run may cost about"),
        ({"--endpoint-url": "localhost:4566"}, "'localhost:4566' is not an endpoint"),
        ({"--emulator": "embedded"}, "--emulator and --target aws exclude each other"),
        ({"--served-url": "tunnel.example"}, "--served-url tunnel.example: expected http:// or https://"),
        ({"--served-port": "8000"}, "--served-port: --served-url must say where AWS reaches it"),
        ({"--max-usd": "nan"}, "expected a number of US$"),
        ({"AWS_PROFILE": "missing"}, "the configuration of AWS's SDK cannot be used"),
        ({"--endpoint-url": "http://127.0.0.1:9"}, "AWS does not say whose credentials these are"),
        ({"AWS_ACCESS_KEY_ID": "", "HOME": "/nowhere"}, "there are no AWS credentials: set AWS_PROFILE"),
    ],
)  # fmt: skip
def test_a_run_that_may_not_be_makes_nothing(tmp_path, aws, change, says):
    options = dict(zip(aws.options[::2], aws.options[1::2], strict=True)) | {k: v for k, v in change.items() if k.startswith("--")}
    env = aws.env | {k: v for k, v in change.items() if not k.startswith("--")}
    flat = [part for option in options.items() for part in option]
    code, output, _ = pipeproof(tmp_path, "run", "students", *flat, **env)
    assert code == 64, output
    assert says.format(account=aws.id) in output
    assert "Traceback" not in output
    assert aws.made() == []


@pytest.mark.parametrize(("service", "operation"), [("s3", "CreateBucket"), ("cloudformation", "CreateStack")])
def test_a_permission_that_is_missing_is_told_and_nothing_is_left(tmp_path, aws, fails, service, operation):
    fails(service, operation)
    code, output, found = aws.run(tmp_path, "students", "--records", 20)
    assert code == 2, output
    assert f"(AccessDenied) when calling the {operation} operation" in found["reasons"][0]
    assert found["emulator"]["left"] == []
    assert aws.made() == []


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path, aws):
    process = start(tmp_path, "run", "clickstream-10k", "--records", 200_000, "--max-usd", 100, *aws.options, **aws.env)
    events = tmp_path / "runs" / "latest" / "events.jsonl"
    wait_until(lambda: events.is_file() and '"LoadProgress"' in events.read_text(), "the load to begin")
    assert aws.made()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert result(tmp_path)["emulator"]["left"] == []
    assert aws.made() == []


def test_a_stack_that_cannot_be_deleted_is_named_and_sweep_removes_it(tmp_path, aws, fails):
    gateway = fails("cloudformation", "DeleteStack")
    code, output, found = aws.run(tmp_path, "students", "--records", 20)
    assert (code, found["verdict"]) == (2, "pass"), "who reads only the exit code must see it"
    [stack] = aws.stacks()
    assert found["emulator"]["left"] == [
        f"stack {stack}: An error occurred (AccessDenied) when calling the DeleteStack operation: "
        + found["emulator"]["left"][0].rpartition("operation: ")[2]
    ]
    assert "LEFT on AWS" in output
    assert aws.sweep(tmp_path) == (1, f"stack {stack}\n")
    code, output = aws.sweep(tmp_path, "--delete")
    assert (code, f"stack {stack}: some of it is left" in output) == (1, True)
    gateway.arm(())
    assert aws.sweep(tmp_path, "--delete") == (0, f"stack {stack}: removed\n")
    assert aws.sweep(tmp_path) == (0, f"nothing is left in account {aws.id}, {REGION}\n")
    assert aws.made() == []


def test_sweep_leaves_what_is_not_a_runs_own(tmp_path, aws):
    template = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    aws.clients("cloudformation").create_stack(StackName="pp-of-somebody", TemplateBody=template)
    aws.clients("s3").create_bucket(Bucket=f"pp-mine-code-{aws.id}", CreateBucketConfiguration={"LocationConstraint": REGION})
    assert leftovers(aws.clients) == []
    code, output = aws.sweep(tmp_path, "--delete")
    assert (code, output) == (0, f"nothing is left in account {aws.id}, {REGION}\n")
    assert len(aws.made()) == 2


def test_everything_that_a_run_makes_has_its_tag(tmp_path, aws, fails):
    fails("cloudformation", "DeleteStack")
    aws.run(tmp_path, "students", "--records", 20)
    [stack] = aws.stacks()
    [described] = aws.clients("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert {"Key": "pipeproof", "Value": stack} in described["Tags"]


def own_scenario(cwd, template):
    (cwd / "template.yaml").write_text(template)
    (cwd / "own.yaml").write_text(
        "description: a scenario\nstack: {template: template.yaml}\nsource: {kind: clickstream, records: 5}\n"
        'send: {to: sqs, queue_url: "${resources.Queue}"}\nprobes: [{kind: sqs, queue_url: "${resources.Queue}", outcome: stored, id: eventId}]\n'
    )
    return cwd / "own.yaml"


def test_a_bucket_of_somebody_else_keeps_what_it_has(tmp_path, aws):
    """The stack fails because the name is taken, and its row has that name."""
    name = f"mine-{aws.id}"
    s3 = Clients(aws.clients.endpoint, new_account(), REGION)("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=name, Key="kept", Body=b"kept")
    template = (
        f"Resources:\n  Queue: {{Type: AWS::SQS::Queue}}\n  Bucket: {{Type: AWS::S3::Bucket, Properties: {{BucketName: {name}}}}}\n"
    )
    code, output, found = aws.run(tmp_path, own_scenario(tmp_path, template))
    assert code == 2, output
    assert "did not deploy" in found["reasons"][0]
    assert aws.made() == []
    assert s3.get_object(Bucket=name, Key="kept")["Body"].read() == b"kept"


def test_logs_that_are_older_than_the_stack_stay(tmp_path, aws):
    group = "/aws/lambda/fixed-name"
    aws.clients("logs").create_log_group(logGroupName=group)
    template = (
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Queue: {Type: AWS::SQS::Queue}\n"
        "  F: {Type: AWS::Serverless::Function, Properties: {FunctionName: fixed-name, Runtime: python3.11, Handler: index.handler,"
        " InlineCode: 'def handler(e, c): pass'}}\n"
    )
    code, _, found = aws.run(tmp_path, own_scenario(tmp_path, template))
    assert (code, found["verdict"]) == (1, "fail"), "nothing carries what the load itself has put into the queue"
    assert aws.made() == [group]


def test_what_is_left_after_a_usage_error_is_told_with_it(tmp_path, aws, fails):
    """The bucket of the packages is made before the first of them is built."""
    fails("s3", "DeleteBucket")
    template = (
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Queue: {Type: AWS::SQS::Queue}\n"
        "  F: {Type: AWS::Serverless::Function, Properties: {Runtime: python3.11, Handler: a.b, CodeUri: nowhere/}}\n"
    )
    code, output, found = aws.run(tmp_path, own_scenario(tmp_path, template))
    assert (code, found) == (64, None), output
    assert "nowhere does not exist" in output
    assert "left on AWS:" in output
    [bucket] = aws.made()
    assert f"bucket {bucket}: An error occurred (AccessDenied)" in output


def test_schedules_are_held_and_fired_from_here(tmp_path, aws):
    template = """
Resources:
  Queue: {Type: AWS::SQS::Queue}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 minute)
      Targets: [{Id: q, Arn: !GetAtt Queue.Arn, Input: '{"eventId": "by rule"}'}]
  Off:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 minute)
      State: DISABLED
      Targets: [{Id: q, Arn: !GetAtt Queue.Arn}]
  Group: {Type: AWS::Scheduler::ScheduleGroup, Properties: {Name: of-the-stack}}
  Schedule:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: by-scheduler
      GroupName: !Ref Group
      ScheduleExpression: rate(1 minute)
      FlexibleTimeWindow: {Mode: "OFF"}
      Target: {Arn: !GetAtt Queue.Arn, RoleArn: "arn:aws:iam::000000000000:role/any", Input: '{"eventId": "by scheduler"}'}
"""
    (tmp_path / "template.yaml").write_text(template)
    clients = Clients(aws.clients.endpoint, aws.id, REGION)
    made = deploy.deploy(clients, tmp_path / "template.yaml", {}, "pp-schedules", wish=deploy.Wish(["Queue"]))
    schedules = AwsSchedules(clients, "pp-schedules", tmp_path)
    schedules.hold()
    found, before = schedules.schedules()
    assert sorted(one.name.partition("-")[0] for one in found) == ["by", "pp"], "the one that is off is none"
    [rule] = [one for one in found if ":events:" in one.arn]
    assert clients("events").describe_rule(Name=rule.name)["State"] == "DISABLED"
    assert clients("scheduler").get_schedule(Name="by-scheduler", GroupName="of-the-stack")["State"] == "DISABLED"
    for one in found:
        schedules.fire(one.arn)
    messages = clients("sqs").receive_message(QueueUrl=made.resources["Queue"], MaxNumberOfMessages=10)["Messages"]
    assert sorted(json.loads(one["Body"])["eventId"] for one in messages) == ["by rule", "by scheduler"]
    assert AwsSchedules(clients, "pp-schedules", tmp_path).schedules()[1] != before
