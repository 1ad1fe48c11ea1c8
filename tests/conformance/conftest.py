"""One test per rule that AWS documents. `--endpoint URL` runs them against any emulator; without it, against one that is started here.

A rule is a test with `@pytest.mark.rule("page")`: the page below https://docs.aws.amazon.com/, and the docstring is the rule. `not_kept("reason")`
marks one that our emulator is known to break (with `emulator="container"`, only that one); where it keeps it after all, the test fails, so that
the list stays true.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.conformance import PAGE
from harness.emulator.choose import choose_own
from harness.emulator.clients import Clients
from tests.conformance.deliveries import TRANSFORMER
from tests.conformance.functions import Functions, wait_until
from tests.conformance.machines import Machines
from tests.conformance.stacks import deployer

KIND = os.environ.get("PIPEPROOF_EMULATOR", "embedded")
_accounts = itertools.count(1)


def pytest_addoption(parser):
    group = parser.getgroup("conformance")
    group.addoption("--endpoint", help="an emulator that runs already")
    group.addoption("--python-runtime", default="python3.13", help="the Python runtime that functions get there")
    group.addoption("--rules-json", type=Path, help="where the outcomes are written to, one JSON object per line")


def pytest_configure(config):
    config.addinivalue_line("markers", "rule(page): a rule that AWS documents on this page")
    config.addinivalue_line(
        "markers", "not_kept(reason, emulator=None): our emulator, or only the one of this kind, is known to break the rule"
    )


def pytest_collection_modifyitems(items):
    for item in items:
        if (known := _not_kept(item)) is not None and not item.config.getoption("endpoint"):
            item.add_marker(pytest.mark.xfail(reason=known.args[0], strict=True))


def _not_kept(item):
    marker = item.get_closest_marker("not_kept")
    return marker if marker is not None and marker.kwargs.get("emulator", KIND) == KIND else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if (rule := item.get_closest_marker("rule")) is not None:
        known = item.get_closest_marker("not_kept")
        report.rule = {
            "id": item.name,
            "service": item.path.stem.removeprefix("test_"),
            "rule": " ".join(inspect.cleandoc(item.function.__doc__ or item.name).split()),
            "page": rule.args[0],
            "reason": known.args[0] if known else "",
        }
    return report


def pytest_runtest_logreport(report):
    into = _into[0] if _into else None
    if into is None or getattr(report, "rule", None) is None or (report.when != "call" and report.passed):
        return
    outcome = "not kept" if report.failed or hasattr(report, "wasxfail") else "skipped" if report.skipped else "kept"
    with into.open("a") as file:
        file.write(json.dumps({**report.rule, "outcome": outcome}) + "\n")


_into: list[Path] = []


def pytest_sessionstart(session):
    path = session.config.getoption("rules_json")
    if path is not None and not hasattr(session.config, "workerinput"):
        path.write_text("")
        _into.append(path)


@pytest.fixture(scope="session")
def emulator(request, tmp_path_factory):
    given = request.config.getoption("endpoint")
    if given:
        yield SimpleNamespace(endpoint=given, python_runtime=request.config.getoption("python_runtime"))
        return
    log = tmp_path_factory.mktemp("emulator") / "emulator.log"
    mine, _ = choose_own(KIND, log, origins=[PAGE])
    for _ in mine.prepare():
        pass
    yield mine.start()
    mine.stop()


@pytest.fixture
def clients(emulator):
    """boto3 clients of an AWS account that no other test has."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    clients = Clients(emulator.endpoint, account=f"{worker + 5:03d}{os.getpid() % 100_000:05d}{next(_accounts):04d}")
    yield clients
    clients.close()


@pytest.fixture
def functions(clients, emulator):
    functions = Functions(clients, emulator.python_runtime)
    yield functions
    functions.delete()


@pytest.fixture
def machine(clients):
    return Machines(clients)


@pytest.fixture
def seen(clients):
    """A table that functions write to, and what they wrote: `note(text)` in their source, `seen()` here, in order."""
    clients("dynamodb").create_table(
        TableName="seen",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )

    def look():
        items = clients("dynamodb").scan(TableName="seen", ConsistentRead=True)["Items"]
        noted = sorted((item["id"]["S"], ast.literal_eval(item["what"]["S"])) for item in items)
        return [what for _, what in noted]

    return look


NOTE = '''
import base64, boto3, json, os, time, uuid
_table = boto3.client("dynamodb")
def note(what):
    """Writes down anything that repr() can write."""
    _table.put_item(TableName="seen", Item={"id": {"S": f"{time.time_ns():020d}-{uuid.uuid4()}"}, "what": {"S": repr(what)}})
'''


@pytest.fixture
def note():
    """The source of `note`, which goes before that of a function."""
    return NOTE


@pytest.fixture
def queue(clients):
    """Creates a queue; returns (ARN, a function that returns the bodies received so far)."""

    def create(name="out"):
        url = clients("sqs").create_queue(QueueName=name)["QueueUrl"]
        found = []

        def bodies():
            messages = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            found.extend(message["Body"] for message in messages)
            for message in messages:
                clients("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return found

        return f"arn:aws:sqs:us-east-1:{clients.account}:{name}", bodies

    return create


@pytest.fixture
def rule(clients, queue):
    """Creates a rule with a queue as its target; returns what the queue's function returns."""

    def create(pattern, **target):
        arn, bodies = queue()
        clients("events").put_rule(Name="rule", EventPattern=json.dumps(pattern))
        clients("events").put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn, **target}])
        return bodies

    return create


@pytest.fixture
def metric(clients):
    """The statistic of a metric over the last hour, once it has data: `metric(namespace, name, statistic, Dimension=value)`."""

    def look(namespace, name, statistic, timeout_s=30, **dimensions):
        def found():
            now = datetime.now(UTC)
            extended = statistic.startswith("p")
            points = clients("cloudwatch").get_metric_statistics(
                Namespace=namespace, MetricName=name, StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=5), Period=86400,
                Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
                **({"ExtendedStatistics": [statistic]} if extended else {"Statistics": [statistic]}),
            )["Datapoints"]  # fmt: skip
            return [point["ExtendedStatistics"][statistic] if extended else point[statistic] for point in points] or None

        return sum(wait_until(found, f"{namespace} {name}", timeout_s))

    return look


@pytest.fixture
def bucket(clients):
    """The bucket that delivery streams write to."""
    clients("s3").create_bucket(Bucket=f"lake-{clients.account}")
    return f"lake-{clients.account}"


@pytest.fixture
def firehose(clients, bucket):
    """Creates the delivery stream `stream` with these options of its S3 destination."""

    def create(name="stream", source=None, **options):
        configuration = {
            "RoleARN": f"arn:aws:iam::{clients.account}:role/firehose",
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 1},
            **options,
        }
        kind = {"DeliveryStreamType": "DirectPut"}
        if source:
            role = f"arn:aws:iam::{clients.account}:role/firehose"
            kind = {
                "DeliveryStreamType": "KinesisStreamAsSource",
                "KinesisStreamSourceConfiguration": {"KinesisStreamARN": source, "RoleARN": role},
            }
        clients("firehose").create_delivery_stream(
            DeliveryStreamName=name, ExtendedS3DestinationConfiguration=configuration, **kind
        )

        def active():
            described = clients("firehose").describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
            return described["DeliveryStreamStatus"] == "ACTIVE"

        wait_until(active, "the delivery stream to be active")
        return name

    return create


@pytest.fixture
def objects(clients, bucket):
    """{key: bytes} of the bucket, below a prefix."""

    def look(prefix=""):
        listed = clients("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {one["Key"]: clients("s3").get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}

    return look


@pytest.fixture
def transformer(clients, functions, seen, note):
    """The processing configuration of a delivery stream whose records a function changes, drops, fails, or forgets, as they say."""
    functions.create("transform", note + TRANSFORMER, Timeout=30)
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:transform"
    parameters = [
        {"ParameterName": "LambdaArn", "ParameterValue": arn},
        {"ParameterName": "NumberOfRetries", "ParameterValue": "1"},
    ]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": parameters}]}


@pytest.fixture
def dynamodb(clients):
    """A client, and the table `t` with one key, `id`."""
    client = clients("dynamodb")
    client.create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return client


@pytest.fixture
def cloudformation(clients):
    return clients("cloudformation")


@pytest.fixture
def deploy(cloudformation):
    """A function that creates or updates a stack, and returns its status."""
    return deployer(cloudformation)
