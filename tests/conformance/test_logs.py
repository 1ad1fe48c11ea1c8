"""CloudWatch Logs: metric filters, subscription filters, embedded metrics."""

from __future__ import annotations

import base64
import gzip
import json
import time

import pytest

from tests.conformance.functions import wait_until

FILTERS = "AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"


@pytest.fixture
def log(clients):
    client = clients("logs")
    client.create_log_group(logGroupName="group")
    client.create_log_stream(logGroupName="group", logStreamName="stream")

    def put(*messages):
        now = int(time.time() * 1000)
        client.put_log_events(
            logGroupName="group", logStreamName="stream", logEvents=[{"timestamp": now, "message": message} for message in messages]
        )

    return put


LINES = ['{"level": "ERROR", "ms": 120}', '{"level": "INFO", "ms": 3}', "ERROR plain text", "127.0.0.1 - frank 500 1534"]


@pytest.mark.rule(FILTERS)
@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("", 4), ("ERROR", 2), ("ERROR plain", 1), ('"plain text"', 1), ("?plain ?frank", 2), ("ERROR -plain", 1),
        ('{ $.level = "ERROR" }', 1), ("{ $.ms > 100 }", 1), ('{ $.level = "INFO" || $.ms = 120 }', 2), ('{ $.level = "E*" && $.ms >= 1 }', 1),
        ("{ $.level = * }", 2), ("[ip, id, user, status = 5*, size]", 1),
    ],
)  # fmt: skip
def test_filter_patterns(clients, log, pattern, count):
    """Filter patterns match terms, phrases, excluded and optional terms, members of JSON, and columns."""
    log(*LINES)
    found = clients("logs").filter_log_events(logGroupName="group", filterPattern=pattern)["events"]
    assert len(found) == count


@pytest.mark.rule("AmazonCloudWatch/latest/logs/MonitoringLogData.html")
def test_a_metric_filter_counts_what_matches(clients, log, metric):
    """A metric filter adds its value to a metric for each log event that matches its pattern."""
    clients("logs").put_metric_filter(
        logGroupName="group", filterName="errors", filterPattern='{ $.level = "ERROR" }',
        metricTransformations=[{"metricName": "Errors", "metricNamespace": "Own", "metricValue": "1"}],
    )  # fmt: skip
    log(*LINES, LINES[0])
    assert wait_until(lambda: metric("Own", "Errors", "Sum") == 2, "two errors")


@pytest.mark.rule("AmazonCloudWatch/latest/logs/MonitoringLogData.html")
def test_a_metric_filter_takes_its_value_from_the_log(clients, log, metric):
    """The value of a metric filter can be a member of the log event."""
    clients("logs").put_metric_filter(
        logGroupName="group", filterName="times", filterPattern="{ $.ms = * }",
        metricTransformations=[{"metricName": "Time", "metricNamespace": "Own", "metricValue": "$.ms"}],
    )  # fmt: skip
    log(*LINES)
    assert wait_until(lambda: metric("Own", "Time", "Sum") == 123, "the sum of the times")


@pytest.mark.rule("AmazonCloudWatch/latest/logs/SubscriptionFilters.html")
def test_a_subscription_sends_what_matches_to_a_function(clients, log, functions, note, seen):
    """A subscription filter sends the log events that match to a function, compressed and encoded."""
    functions.create("reader", note + "def handler(event, context):\n    note(event)\n")
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:reader"
    clients("lambda").add_permission(
        FunctionName="reader", StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
    )
    clients("logs").put_subscription_filter(logGroupName="group", filterName="f", filterPattern="ERROR", destinationArn=arn)
    log(*LINES)
    event = wait_until(seen, "an event")[0]
    data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    assert (data["messageType"], data["logGroup"], data["subscriptionFilters"]) == ("DATA_MESSAGE", "group", ["f"])
    assert [one["message"] for one in data["logEvents"]] == [LINES[0], LINES[2]]


@pytest.mark.rule("AmazonCloudWatch/latest/logs/SubscriptionFilters.html")
def test_a_subscription_sends_to_a_stream(clients, log):
    """A subscription filter sends log events to a Kinesis stream."""
    clients("kinesis").create_stream(StreamName="stream", ShardCount=1)
    clients("kinesis").get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    arn = f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream"
    clients("logs").put_subscription_filter(
        logGroupName="group", filterName="f", filterPattern="", destinationArn=arn, roleArn=f"arn:aws:iam::{clients.account}:role/r"
    )
    log("hello")

    def records():
        shard = clients("kinesis").list_shards(StreamName="stream")["Shards"][0]["ShardId"]
        iterator = clients("kinesis").get_shard_iterator(StreamName="stream", ShardId=shard, ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        read = clients("kinesis").get_records(ShardIterator=iterator)["Records"]
        return [e["message"] for r in read for e in json.loads(gzip.decompress(r["Data"])).get("logEvents", [])]

    assert wait_until(lambda: "hello" in records(), "the log event in the stream")


@pytest.mark.rule("AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html")
def test_embedded_metrics_of_a_function(functions, metric):
    """Metrics that a function's log holds in the embedded metric format are extracted."""
    source = (
        "import json\ndef handler(event, context):\n    print(json.dumps({'_aws': {'Timestamp': 1, 'CloudWatchMetrics': [{'Namespace': 'Own',"
        " 'Dimensions': [['service']], 'Metrics': [{'Name': 'Rows', 'Unit': 'Count'}]}]}, 'service': 's', 'Rows': 7}))\n"
    )
    source = source.replace("'Timestamp': 1", "'Timestamp': int(__import__('time').time() * 1000)")
    functions.create("embedded", source)
    functions.invoke("embedded", {})
    assert metric("Own", "Rows", "Sum", service="s") == 7


@pytest.mark.rule("AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Generation_PutLogEvents.html")
def test_embedded_metrics_of_put_log_events(clients, metric):
    """Metrics in the embedded metric format are extracted from what PutLogEvents puts."""
    logs, now_ms = clients("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="own")
    logs.create_log_stream(logGroupName="own", logStreamName="s")
    described = {"Namespace": "Own", "Dimensions": [["service"]], "Metrics": [{"Name": "Rows", "Unit": "Count"}]}
    document = {"_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [described]}, "service": "s", "Rows": [3, 4]}
    events = [{"timestamp": now_ms, "message": json.dumps(document)}, {"timestamp": now_ms, "message": '{"_aws": 1}'}]
    logs.put_log_events(logGroupName="own", logStreamName="s", logEvents=events)
    assert metric("Own", "Rows", "Sum", service="s") == 7


@pytest.mark.rule("AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html")
def test_events_of_all_streams_are_in_order(clients):
    """FilterLogEvents sorts the events of all streams by their time."""
    logs, now = clients("logs"), int(time.time() * 1000)
    logs.create_log_group(logGroupName="group")
    for name, at in (("a", (0, 2)), ("b", (1, 3))):
        logs.create_log_stream(logGroupName="group", logStreamName=name)
        batch = [{"timestamp": now + n, "message": str(n)} for n in at]
        logs.put_log_events(logGroupName="group", logStreamName=name, logEvents=batch)
    assert [one["message"] for one in logs.filter_log_events(logGroupName="group")["events"]] == ["0", "1", "2", "3"]
