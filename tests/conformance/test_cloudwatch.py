"""CloudWatch: metrics of services, statistics and alarms."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.conformance.functions import wait_until

LAMBDA = "lambda/latest/dg/monitoring-metrics-types.html"
STATISTICS = "AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html"


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
def test_dropped_events(clients, function, metric):
    """Lambda counts AsyncEventsDropped of a function whose reserved concurrency is 0."""
    clients("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    clients("lambda").invoke(FunctionName=function, InvocationType="Event")
    assert metric("AWS/Lambda", "AsyncEventsDropped", "Sum", FunctionName="measured") == 1


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


@pytest.mark.rule("AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html")
def test_the_history_has_each_change_of_state(clients, alarm):
    """DescribeAlarmHistory returns an alarm's changes of state, with the old and the new one, of the time that is asked for."""
    cloudwatch = clients("cloudwatch")
    alarm(TreatMissingData="ignore")
    began = []
    for changed in ("OK", "ALARM", "OK"):
        began.append(datetime.now(UTC) - timedelta(seconds=1))
        cloudwatch.set_alarm_state(AlarmName="alarm", StateValue=changed, StateReason="a test")
        wait_until(lambda: datetime.now(UTC) - began[-1] > timedelta(seconds=2.1), "a time that is no other change's")

    def history(**asked):
        items = cloudwatch.describe_alarm_history(AlarmName="alarm", HistoryItemType="StateUpdate", **asked)["AlarmHistoryItems"]
        return [json.loads(item["HistoryData"])["newState"]["stateValue"] for item in items]

    assert history() == ["OK", "ALARM", "OK"]
    items = cloudwatch.describe_alarm_history(AlarmName="alarm", ScanBy="TimestampAscending")["AlarmHistoryItems"]
    assert all(before < item["Timestamp"] < before + timedelta(seconds=2) for before, item in zip(began, items, strict=True))
    assert history(ScanBy="TimestampAscending", MaxRecords=2) == ["OK", "ALARM"]
    assert history(StartDate=datetime.now(UTC) + timedelta(minutes=1)) == []
    assert len(history(EndDate=datetime.now(UTC) + timedelta(minutes=1))) == 3
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(AlarmName="alarm", HistoryItemType="StateUpdate")
    assert sum(len(page["AlarmHistoryItems"]) for page in pages) == 3


@pytest.mark.rule("AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html")
def test_a_composite_alarm_has_the_state_of_its_rule(clients):
    """A composite alarm follows its rule, of AND, OR and NOT over the states of alarms, other composite ones among them."""
    cloudwatch = clients("cloudwatch")
    for name in ("one", "two"):
        cloudwatch.put_metric_alarm(
            AlarmName=name, MetricName="m", Namespace="Own", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
            ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore",
        )  # fmt: skip
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM(one) AND NOT OK("two")')
    cloudwatch.put_composite_alarm(AlarmName="above", AlarmRule="ALARM(both) OR FALSE")

    def states(*changes):
        for name, state in changes:
            cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")
        found = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}

    assert states() == {"both": "OK", "above": "OK"}
    assert states(("two", "OK"), ("one", "ALARM")) == {"both": "OK", "above": "OK"}
    assert states(("two", "ALARM")) == {"both": "ALARM", "above": "ALARM"}
    assert states(("one", "OK")) == {"both": "OK", "above": "OK"}
    with pytest.raises(cloudwatch.exceptions.ClientError, match="alarm rule"):
        cloudwatch.put_composite_alarm(AlarmName="none", AlarmRule="ALARM(one) AND")


@pytest.mark.rule("AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html")
def test_eventbridge_is_told_of_an_alarm(clients, rule):
    """An alarm that changes its state is told to EventBridge, with both states and its metric."""
    bodies = rule(
        {"source": ["aws.cloudwatch"], "detail-type": ["CloudWatch Alarm State Change"], "detail": {"state": {"value": ["ALARM"]}}}
    )
    clients("cloudwatch").put_metric_alarm(
        AlarmName="alarm", Namespace="N", MetricName="m", Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )  # fmt: skip
    clients("cloudwatch").set_alarm_state(AlarmName="alarm", StateValue="ALARM", StateReason="as told")
    event = json.loads(wait_until(bodies, "the event", 20)[0])
    assert event["resources"] == [f"arn:aws:cloudwatch:us-east-1:{clients.account}:alarm:alarm"]
    assert event["detail"]["alarmName"] == "alarm"
    assert (event["detail"]["state"]["value"], event["detail"]["state"]["reason"]) == ("ALARM", "as told")
    assert event["detail"]["previousState"]["value"] in {"INSUFFICIENT_DATA", "OK"}
    assert event["detail"]["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "m"
