"""CloudWatch: metrics of services, statistics, alarms, metric filters, subscription filters, embedded metrics."""

from __future__ import annotations

import base64
import gzip
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.functions import wait_until

LAMBDA = "lambda/latest/dg/monitoring-metrics-types.html"
STATISTICS = "AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html"
FILTERS = "AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html"


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
def function(functions):
    source = "import time\ndef handler(event, context):\n    time.sleep(0.05)\n    if event.get('fail'):\n        raise ValueError('x')\n    return 1\n"
    return functions.create("measured", source)


@pytest.mark.rule(LAMBDA)
def test_invocations_and_errors(function, functions, metric):
    """Lambda counts Invocations and Errors of a function."""
    for fail in (False, True, False):
        functions.invoke(function, {"fail": fail})
    assert wait_until(lambda: metric("AWS/Lambda", "Invocations", "Sum", FunctionName="measured") == 3, "three invocations")
    assert wait_until(lambda: metric("AWS/Lambda", "Errors", "Sum", FunctionName="measured") == 1, "one error")


@pytest.mark.rule(LAMBDA)
def test_duration(function, functions, metric):
    """Lambda measures the Duration of invocations in milliseconds."""
    functions.invoke(function, {})
    assert 50 <= metric("AWS/Lambda", "Duration", "Maximum", FunctionName="measured") < 5000


@pytest.mark.rule(LAMBDA)
def test_concurrent_executions(function, functions, metric):
    """Lambda reports ConcurrentExecutions."""
    functions.invoke(function, {})
    assert metric("AWS/Lambda", "ConcurrentExecutions", "Maximum", FunctionName="measured") >= 1


@pytest.mark.rule(LAMBDA)
def test_throttles(clients, function, metric):
    """Lambda counts Throttles of a function whose reserved concurrency is used up."""
    clients("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    with pytest.raises(clients("lambda").exceptions.TooManyRequestsException):
        clients("lambda", retries=False).invoke(FunctionName=function)
    assert metric("AWS/Lambda", "Throttles", "Sum", FunctionName="measured") == 1


@pytest.mark.rule(LAMBDA)
@pytest.mark.parametrize("kind", ["DeadLetterErrors", "DestinationDeliveryFailures"])
def test_what_could_not_be_given_up_is_counted(clients, functions, metric, kind):
    """Lambda counts the events that it could send neither to a dead-letter queue nor to a destination."""
    nowhere = f"arn:aws:sqs:us-east-1:{clients.account}:nowhere"
    clients("sqs").create_queue(QueueName="nowhere")
    options = {"DeadLetterConfig": {"TargetArn": nowhere}} if kind == "DeadLetterErrors" else {}
    functions.create("measured", "def handler(event, context):\n    raise ValueError('as told')\n", **options)
    destination = {} if options else {"DestinationConfig": {"OnFailure": {"Destination": nowhere}}}
    clients("lambda").put_function_event_invoke_config(FunctionName="measured", MaximumRetryAttempts=0, **destination)
    clients("sqs").delete_queue(QueueUrl=clients("sqs").get_queue_url(QueueName="nowhere")["QueueUrl"])
    clients("lambda").invoke(FunctionName="measured", InvocationType="Event")
    assert metric("AWS/Lambda", kind, "Sum", FunctionName="measured") == 1


@pytest.mark.rule(LAMBDA)
def test_iterator_age(clients, function, metric):
    """Lambda reports IteratorAge for functions that read a stream."""
    clients("kinesis").create_stream(StreamName="stream", ShardCount=1)
    clients("kinesis").get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    clients("kinesis").put_record(StreamName="stream", Data=b"x", PartitionKey="k")
    arn = f"arn:aws:kinesis:us-east-1:{clients.account}:stream/stream"
    clients("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=function, StartingPosition="TRIM_HORIZON")
    assert metric("AWS/Lambda", "IteratorAge", "Maximum", FunctionName="measured") >= 0


@pytest.mark.rule("streams/latest/dev/monitoring-with-cloudwatch.html")
def test_kinesis_counts_records(clients, metric):
    """Kinesis counts IncomingRecords and IncomingBytes of a stream."""
    clients("kinesis").create_stream(StreamName="stream", ShardCount=1)
    clients("kinesis").get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    clients("kinesis").put_records(StreamName="stream", Records=[{"Data": b"abc", "PartitionKey": "k"}] * 4)
    assert metric("AWS/Kinesis", "IncomingRecords", "Sum", StreamName="stream") == 4
    assert metric("AWS/Kinesis", "IncomingBytes", "Sum", StreamName="stream") >= 12


@pytest.mark.rule("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html")
def test_sqs_counts_messages(clients, metric):
    """SQS counts messages sent, received and deleted."""
    url = clients("sqs").create_queue(QueueName="queue")["QueueUrl"]
    clients("sqs").send_message(QueueUrl=url, MessageBody="x")
    message = clients("sqs").receive_message(QueueUrl=url)["Messages"][0]
    clients("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    for name in ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted"):
        assert metric("AWS/SQS", name, "Sum", QueueName="queue") == 1


@pytest.mark.rule("AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html")
def test_sqs_reports_what_waits(clients, metric):
    """SQS reports ApproximateNumberOfMessagesVisible and ApproximateAgeOfOldestMessage."""
    url = clients("sqs").create_queue(QueueName="queue")["QueueUrl"]
    clients("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", timeout_s=90, QueueName="queue") == 1
    assert metric("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", timeout_s=90, QueueName="queue") >= 0


@pytest.mark.rule("step-functions/latest/dg/procedure-cw-metrics.html")
def test_step_functions_counts_executions(clients, metric):
    """Step Functions counts executions that started, succeeded and failed, and their time."""
    client = clients("stepfunctions")
    arns = {}
    for name, state in {"good": {"Type": "Pass", "End": True}, "bad": {"Type": "Fail"}}.items():
        definition = json.dumps({"StartAt": "S", "States": {"S": state}})
        arns[name] = client.create_state_machine(
            name=name, definition=definition, roleArn=f"arn:aws:iam::{clients.account}:role/r"
        )["stateMachineArn"]
        client.start_execution(stateMachineArn=arns[name])
    assert metric("AWS/States", "ExecutionsStarted", "Sum", StateMachineArn=arns["good"]) == 1
    assert metric("AWS/States", "ExecutionsSucceeded", "Sum", StateMachineArn=arns["good"]) == 1
    assert metric("AWS/States", "ExecutionsFailed", "Sum", StateMachineArn=arns["bad"]) == 1
    assert metric("AWS/States", "ExecutionTime", "Maximum", StateMachineArn=arns["good"]) >= 0


@pytest.mark.rule("amazondynamodb/latest/developerguide/metrics-dimensions.html")
def test_dynamodb_counts_capacity(clients, metric):
    """DynamoDB counts the write capacity units that a table consumes."""
    clients("dynamodb").create_table(
        TableName="table", BillingMode="PAY_PER_REQUEST", AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    clients("dynamodb").put_item(TableName="table", Item={"id": {"S": "1"}})
    assert metric("AWS/DynamoDB", "ConsumedWriteCapacityUnits", "Sum", TableName="table") >= 1


@pytest.mark.rule("firehose/latest/dev/monitoring-with-cloudwatch-metrics.html")
def test_firehose_counts_records(clients, metric):
    """Firehose counts IncomingRecords and DeliveryToS3.Records."""
    bucket = f"metrics-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    clients("firehose").create_delivery_stream(
        DeliveryStreamName="stream",
        ExtendedS3DestinationConfiguration={
            "RoleARN": f"arn:aws:iam::{clients.account}:role/r", "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 1},
        },
    )  # fmt: skip
    clients("firehose").put_record(DeliveryStreamName="stream", Record={"Data": b"x"})
    assert metric("AWS/Firehose", "IncomingRecords", "Sum", DeliveryStreamName="stream") == 1
    assert metric("AWS/Firehose", "DeliveryToS3.Records", "Sum", DeliveryStreamName="stream") == 1


@pytest.mark.rule(STATISTICS)
@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", 110), ("Average", 11), ("Minimum", 2), ("Maximum", 20), ("SampleCount", 10), ("p50", 11), ("p90", 18)],
)
def test_statistics(clients, metric, statistic, expected):
    """A metric's statistics: sum, average, minimum, maximum, sample count and percentiles."""
    clients("cloudwatch").put_metric_data(Namespace="Own", MetricData=[{"MetricName": "m", "Value": 2.0 * n} for n in range(1, 11)])
    assert metric("Own", "m", statistic) == pytest.approx(expected, abs=2 if statistic.startswith("p") else 0.001)


@pytest.mark.rule("AmazonCloudWatch/latest/APIReference/API_GetMetricData.html")
def test_metric_math(clients):
    """GetMetricData computes expressions over metrics."""
    clients("cloudwatch").put_metric_data(
        Namespace="Own", MetricData=[{"MetricName": "a", "Value": 6}, {"MetricName": "b", "Value": 3}]
    )
    now = datetime.now(UTC)

    def query(key):
        return {
            "Id": key,
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": key}, "Period": 3600, "Stat": "Sum"},
        }

    def found():
        queries = [query("a"), query("b"), {"Id": "ratio", "Expression": "a / b", "ReturnData": True}]
        results = clients("cloudwatch").get_metric_data(
            MetricDataQueries=queries, StartTime=now - timedelta(hours=2), EndTime=now + timedelta(hours=1)
        )
        return next((one["Values"] for one in results["MetricDataResults"] if one["Id"] == "ratio"), None)

    assert wait_until(found, "the ratio", 10) == [2.0]


@pytest.fixture
def alarm(clients):
    topic = clients("sns").create_topic(Name="alarms")["TopicArn"]
    url = clients("sqs").create_queue(QueueName="alarms")["QueueUrl"]
    clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{clients.account}:alarms")

    defaults = {
        "Statistic": "Sum",
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }

    def create(**options):
        clients("cloudwatch").put_metric_alarm(
            AlarmName="alarm", AlarmActions=[topic], OKActions=[topic], Namespace="Own", MetricName="m", Period=10, EvaluationPeriods=1,
            **{name: value for name, value in {**defaults, **options}.items() if value is not None},
        )  # fmt: skip

    def notices():
        found = []
        while messages := clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(json.loads(message["Body"])["Message"]) for message in messages]
        return found

    create.notices = notices
    return create


def state(clients):
    return clients("cloudwatch").describe_alarms(AlarmNames=["alarm"])["MetricAlarms"][0]["StateValue"]


@pytest.mark.rule("AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html")
def test_an_alarm_goes_off_and_notifies(clients, alarm):
    """An alarm goes into ALARM when its metric breaches the threshold, and its action is sent with the old and the new state."""
    alarm()
    clients("cloudwatch").put_metric_data(Namespace="Own", MetricData=[{"MetricName": "m", "Value": 10}])
    wait_until(lambda: state(clients) == "ALARM", "the alarm", 60)
    notice = wait_until(lambda: [n for n in alarm.notices() if n["NewStateValue"] == "ALARM"], "the notice", 30)[0]
    assert notice["AlarmName"] == "alarm"
    assert notice["Trigger"]["MetricName"] == "m"


@pytest.mark.rule("AmazonCloudWatch/latest/monitoring/percentiles-with-alarms.html")
def test_an_alarm_on_a_percentile(clients, alarm):
    """An alarm can watch a percentile of its metric."""
    alarm(Statistic=None, ExtendedStatistic="p90", Threshold=50)
    data = [{"MetricName": "m", "Values": [1.0, 100.0], "Counts": [5.0, 5.0]}]
    clients("cloudwatch").put_metric_data(Namespace="Own", MetricData=data)
    wait_until(lambda: state(clients) == "ALARM", "the alarm", 60)


@pytest.mark.rule("AmazonCloudWatch/latest/monitoring/Create-alarm-on-metric-math-expression.html")
def test_an_alarm_on_an_expression(clients):
    """An alarm can watch an expression over metrics."""
    queries = [
        {
            "Id": key,
            "ReturnData": False,
            "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": key}, "Period": 10, "Stat": "Sum"},
        }
        for key in ("errors", "calls")
    ]
    clients("cloudwatch").put_metric_alarm(
        AlarmName="alarm", Metrics=[*queries, {"Id": "rate", "Expression": "100 * errors / calls", "ReturnData": True}],
        EvaluationPeriods=1, Threshold=10, ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    data = [{"MetricName": "errors", "Value": 2}, {"MetricName": "calls", "Value": 10}]
    clients("cloudwatch").put_metric_data(Namespace="Own", MetricData=data)
    wait_until(lambda: state(clients) == "ALARM", "the alarm", 60)


@pytest.mark.rule("AmazonCloudWatch/latest/APIReference/API_SetAlarmState.html")
def test_set_alarm_state_runs_the_actions(clients, alarm):
    """SetAlarmState changes the state and runs its actions."""
    alarm()
    clients("cloudwatch").set_alarm_state(AlarmName="alarm", StateValue="ALARM", StateReason="a test")
    wait_until(lambda: [n for n in alarm.notices() if n["NewStateValue"] == "ALARM"], "the notice", 30)


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
