"""Event source mappings on Kinesis streams."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time

import pytest

from tests.conformance.functions import wait_until

PARAMETERS = "lambda/latest/dg/services-kinesis-parameters.html"
WINDOWS = "lambda/latest/dg/services-kinesis-windows.html"
RETRIES = "lambda/latest/dg/kinesis-on-failure-destination.html"
CREATE = "lambda/latest/dg/services-kinesis-create.html"

COLLECT = """
def handler(event, context):
    data = [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
    began = time.time()
    time.sleep(float(os.environ.get("SLEEP", 0)))
    if os.environ.get("FAIL") and any(d.startswith(os.environ["FAIL"]) for d in data):
        note(("failed", data))
        raise ValueError("poison")
    note(("batch", data, round(began, 2), round(time.time(), 2)))
"""


@pytest.fixture
def stream(clients):
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="stream", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    return kinesis.describe_stream(StreamName="stream")["StreamDescription"]["StreamARN"]


@pytest.fixture
def mapping(clients, functions, note, seen, stream):
    def connect(source=COLLECT, *, variables=None, arn=stream, **options):
        functions.create("consumer", note + source, Timeout=60, Environment={"Variables": variables or {}})
        options = {"StartingPosition": "TRIM_HORIZON", **options}
        created = clients("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName="consumer", **options)
        return created["UUID"]

    return connect


def put(clients, *data, key=None):
    clients("kinesis").put_records(StreamName="stream", Records=[{"Data": d.encode(), "PartitionKey": key or d} for d in data])


def batches(seen):
    return [what[1] for what in seen() if what[0] == "batch"]


def records(seen):
    return [data for batch in batches(seen) for data in batch]


def state(clients, uuid):
    return clients("lambda").get_event_source_mapping(UUID=uuid)["State"]


@pytest.mark.rule(CREATE)
def test_a_mapping_that_is_enabled_again_goes_on_where_it_was(clients, mapping, seen):
    """A mapping that is disabled and enabled again continues with the first record that it has not processed."""
    uuid = mapping()
    put(clients, "a", "b")
    wait_until(lambda: records(seen) == ["a", "b"], "the first records")
    clients("lambda").update_event_source_mapping(UUID=uuid, Enabled=False)
    wait_until(lambda: state(clients, uuid) == "Disabled", "the mapping to be disabled")
    put(clients, "c", "d")
    clients("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_until(lambda: len(records(seen)) >= 4, "the records of the pause")
    assert records(seen) == ["a", "b", "c", "d"]


@pytest.mark.rule(CREATE)
def test_a_mapping_at_latest_keeps_what_came_while_it_was_disabled(clients, mapping, seen):
    """A mapping that began at LATEST processes the records that arrive while it is disabled."""
    uuid = mapping(StartingPosition="LATEST")
    wait_until(lambda: state(clients, uuid) == "Enabled", "the mapping to be enabled")

    def one():
        put(clients, "first")
        return records(seen)

    wait_until(one, "a record after the start")
    clients("lambda").update_event_source_mapping(UUID=uuid, Enabled=False)
    wait_until(lambda: state(clients, uuid) == "Disabled", "the mapping to be disabled")
    put(clients, "paused")
    clients("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_until(lambda: "paused" in records(seen), "the record of the pause")


@pytest.mark.rule(PARAMETERS)
def test_an_update_keeps_the_checkpoint(clients, mapping, seen):
    """A new batch size applies from the first record that is not processed: none is passed over and none comes again."""
    uuid = mapping(BatchSize=10)
    put(clients, "a")
    wait_until(lambda: records(seen) == ["a"], "the first record")
    clients("lambda").update_event_source_mapping(UUID=uuid, BatchSize=1)
    put(clients, "b", "c")
    wait_until(lambda: len(records(seen)) >= 3, "the others")
    assert batches(seen) == [["a"], ["b"], ["c"]]


@pytest.mark.rule(PARAMETERS)
def test_at_timestamp_begins_with_the_records_from_that_time_on(clients, mapping, seen):
    """StartingPosition AT_TIMESTAMP reads the records from StartingPositionTimestamp on."""
    put(clients, "before")
    # The API takes whole seconds.
    between = int(time.time()) + 1
    wait_until(lambda: time.time() > between, "the next second")
    put(clients, "after")
    mapping(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=between)
    wait_until(lambda: records(seen), "a batch")
    assert records(seen) == ["after"]


@pytest.mark.rule(PARAMETERS)
def test_the_batch_size_bounds_a_batch(clients, mapping, seen):
    """A batch has at most BatchSize records."""
    put(clients, *"abcde", key="k")
    mapping(BatchSize=2)
    wait_until(lambda: len(records(seen)) == 5, "all records")
    assert batches(seen) == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.rule(PARAMETERS)
def test_the_batching_window_collects(clients, mapping, seen):
    """With MaximumBatchingWindowInSeconds the function is invoked when the window is over or the batch is full."""
    uuid = mapping(BatchSize=100, MaximumBatchingWindowInSeconds=2)
    wait_until(lambda: state(clients, uuid) == "Enabled", "the mapping to be enabled")
    put(clients, "a")
    put(clients, "b")
    wait_until(lambda: records(seen), "a batch")
    assert batches(seen) == [["a", "b"]]


@pytest.mark.rule(PARAMETERS)
def test_one_batch_of_a_shard_at_a_time(clients, mapping, seen):
    """With ParallelizationFactor 1 a shard's batches are processed one after the other."""
    put(clients, *"abcd")
    mapping(BatchSize=1, variables={"SLEEP": "0.2"})
    wait_until(lambda: len(records(seen)) == 4, "all records")
    spans = [(what[2], what[3]) for what in seen()]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


@pytest.mark.rule(PARAMETERS)
def test_the_parallelization_factor_runs_batches_of_a_shard_at_once(clients, mapping, seen):
    """With ParallelizationFactor N, N batches of one shard are processed at the same time."""
    put(clients, *(f"{n}" for n in range(12)))
    mapping(BatchSize=1, ParallelizationFactor=4, variables={"SLEEP": "0.5"})
    wait_until(lambda: len(records(seen)) == 12, "all records")
    spans = [(what[2], what[3]) for what in seen()]
    assert max(sum(began <= at < ended for began, ended in spans) for at, _ in spans) > 1
    assert sorted(records(seen), key=int) == [f"{n}" for n in range(12)]


@pytest.mark.rule(PARAMETERS)
def test_the_parallelization_factor_keeps_the_order_of_a_partition_key(clients, mapping, seen):
    """With any ParallelizationFactor the records of one partition key are processed in order."""
    for key in "xyz":
        put(clients, *(f"{key}{n}" for n in range(6)), key=key)
    mapping(BatchSize=2, ParallelizationFactor=3)
    wait_until(lambda: len(records(seen)) == 18, "all records")
    for key in "xyz":
        assert [data for data in records(seen) if data[0] == key] == [f"{key}{n}" for n in range(6)]


WINDOW = """
def handler(event, context):
    state = event.get("state") or {}
    state["count"] = state.get("count", 0) + len(event["Records"])
    note({"final": event["isFinalInvokeForWindow"], "early": event["isWindowTerminatedEarly"], "count": state["count"],
          "window": event["window"], "shard": event["shardId"], "arn": event["eventSourceARN"]})
    return {"state": state}
"""


@pytest.mark.rule(WINDOWS)
def test_a_tumbling_window_hands_the_state_on(clients, mapping, seen, stream):
    """In a tumbling window each invocation gets the state that the one before returned, and the last one of the window is marked as final."""
    mapping(WINDOW, BatchSize=1, TumblingWindowInSeconds=2)
    put(clients, *"abc", key="k")
    wait_until(lambda: sum(what["count"] for what in seen() if what["final"]) >= 3, "the final invocations of all records")
    noted = seen()
    assert noted[-1]["final"]
    assert not any(what["early"] for what in noted)
    assert all(what["arn"] == stream and what["shard"].startswith("shardId-") for what in noted)
    assert all(what["window"]["start"] < what["window"]["end"] for what in noted)


@pytest.mark.rule(WINDOWS)
def test_a_final_invocation_has_no_records_of_the_next_window(clients, mapping, seen):
    """A window ends at its end: later records belong to the next window, which begins with an empty state."""
    mapping(WINDOW, BatchSize=10, TumblingWindowInSeconds=1)
    put(clients, "a")
    wait_until(lambda: any(what["final"] for what in seen()), "the first window to end")
    put(clients, "b")
    wait_until(lambda: sum(what["final"] for what in seen()) >= 2, "the second window to end")
    finals = [what for what in seen() if what["final"]]
    assert [what["count"] for what in finals] == [1, 1]
    assert finals[0]["window"]["end"] <= finals[1]["window"]["start"]


@pytest.fixture
def destination(clients):
    url = clients("sqs").create_queue(QueueName="failed")["QueueUrl"]
    config = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{clients.account}:failed"}}

    def message():
        received = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages")
        return json.loads(received[0]["Body"]) if received else None

    return config, message


@pytest.mark.rule(RETRIES)
def test_a_batch_that_exhausts_its_retries_goes_to_the_destination(clients, mapping, destination, stream):
    """The message of a discarded batch names the function, the condition, the answer, and the batch's sequence numbers."""
    config, message = destination
    mapping(variables={"FAIL": "p"}, MaximumRetryAttempts=1, DestinationConfig=config)
    put(clients, "p")
    told = wait_until(message, "a message at the destination")
    assert told["version"] == "1.0"
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert told["requestContext"]["approximateInvokeCount"] == 2
    assert told["requestContext"]["functionArn"].endswith(":function:consumer")
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    batch = told["KinesisBatchInfo"]
    assert (batch["streamArn"], batch["batchSize"]) == (stream, 1)
    assert batch["startSequenceNumber"] == batch["endSequenceNumber"]


@pytest.mark.rule("lambda/latest/dg/kinesis-on-failure-destination.html")
def test_a_bucket_keeps_the_records_of_a_discarded_batch(clients, mapping):
    """A bucket as on-failure destination gets the records themselves, below aws/lambda/MAPPING/SHARD."""
    bucket = f"failed-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    config = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    mapping(variables={"FAIL": "p"}, MaximumRetryAttempts=0, DestinationConfig=config)
    put(clients, "p")
    (found,) = wait_until(lambda: clients("s3").list_objects_v2(Bucket=bucket).get("Contents"), "the batch", 60)
    assert re.match(r"aws/lambda/[0-9a-f-]{36}/shardId-\d{12}/\d{4}/\d\d/\d\d/\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d-", found["Key"])
    told = json.loads(clients("s3").get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    payload = told["payload"] if isinstance(told["payload"], dict) else json.loads(told["payload"])
    assert [base64.b64decode(one["kinesis"]["data"]) for one in payload["Records"]] == [b"p"]


@pytest.mark.rule(RETRIES)
def test_a_discarded_batch_does_not_stop_the_shard(clients, mapping, destination, seen):
    """After a batch is discarded the shard goes on with the next."""
    config, _ = destination
    mapping(variables={"FAIL": "p"}, BatchSize=1, MaximumRetryAttempts=0, DestinationConfig=config)
    put(clients, "p", "next", key="k")
    wait_until(lambda: records(seen) == ["next"], "the next record")


@pytest.mark.rule(PARAMETERS)
def test_a_failing_batch_blocks_its_shard(clients, mapping, seen):
    """Without a bound on retries a failing batch is tried again and again, and nothing after it is processed."""
    mapping(variables={"FAIL": "p"}, BatchSize=1)
    put(clients, "p", "next", key="k")
    wait_until(lambda: len(seen()) >= 3, "three attempts")
    assert all(what == ("failed", ["p"]) for what in seen())


@pytest.mark.rule(PARAMETERS)
def test_bisecting_isolates_the_poison(clients, mapping, destination, seen):
    """BisectBatchOnFunctionError splits a failing batch in two, until the poison record is alone."""
    config, message = destination
    put(clients, *"abpcd", key="k")
    mapping(variables={"FAIL": "p"}, MaximumRetryAttempts=0, BisectBatchOnFunctionError=True, DestinationConfig=config)
    assert wait_until(message, "the poison at the destination")["KinesisBatchInfo"]["batchSize"] == 1
    wait_until(lambda: records(seen) == ["a", "b", "c", "d"], "the others, in order")


REPORT = """
def handler(event, context):
    data = [(r["kinesis"]["sequenceNumber"], base64.b64decode(r["kinesis"]["data"]).decode()) for r in event["Records"]]
    note(("batch", [d for _, d in data]))
    failed = [n for n, d in data if d == "p"]
    tries = sum("p" in [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]] for _ in [0])
    return {"batchItemFailures": [{"itemIdentifier": n} for n in failed]}
"""


@pytest.mark.rule("lambda/latest/dg/services-kinesis-batchfailurereporting.html")
def test_a_reported_failure_brings_back_the_rest_of_the_batch(clients, mapping, seen):
    """With ReportBatchItemFailures the batch is tried again from the lowest sequence number that the function reports."""
    put(clients, *"abpc", key="k")
    mapping(REPORT, MaximumRetryAttempts=1, FunctionResponseTypes=["ReportBatchItemFailures"])
    wait_until(lambda: len(batches(seen)) >= 2, "the second attempt")
    assert batches(seen)[:2] == [["a", "b", "p", "c"], ["p", "c"]]


@pytest.mark.rule("lambda/latest/dg/with-kinesis-filtering.html")
def test_filters_look_at_the_data_as_json(clients, mapping, seen):
    """A filter on `data` matches the record's data as JSON; what does not match is passed over."""
    pattern = json.dumps({"data": {"kind": ["buy"]}})
    mapping(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    put(clients, '{"kind": "look"}', '{"kind": "buy"}', "no json", key="k")
    wait_until(lambda: records(seen), "a batch")
    assert records(seen) == ['{"kind": "buy"}']


@pytest.mark.rule("lambda/latest/dg/with-kinesis.html")
def test_an_event_has_what_is_documented(clients, mapping, seen, stream):
    """A Kinesis event names its source, stream, shard, partition key, sequence number and time of arrival."""
    mapping("def handler(event, context):\n    note(event['Records'][0])\n")
    put(clients, "data", key="the key")
    record = wait_until(seen, "an event")[0]
    assert (record["eventSource"], record["eventName"], record["eventVersion"]) == ("aws:kinesis", "aws:kinesis:record", "1.0")
    assert (record["eventSourceARN"], record["awsRegion"]) == (stream, "us-east-1")
    assert record["eventID"] == f"shardId-000000000000:{record['kinesis']['sequenceNumber']}"
    assert record["kinesis"]["partitionKey"] == "the key"
    assert record["kinesis"]["kinesisSchemaVersion"] == "1.0"
    assert isinstance(record["kinesis"]["approximateArrivalTimestamp"], float)


@pytest.mark.rule("lambda/latest/dg/with-kinesis.html")
def test_an_enhanced_fan_out_consumer_is_a_source(clients, mapping, seen, stream):
    """The ARN of a stream consumer can be an event source."""
    consumer = clients("kinesis").register_stream_consumer(StreamARN=stream, ConsumerName="mine")["Consumer"]
    mapping(arn=consumer["ConsumerARN"])
    put(clients, "a")
    wait_until(lambda: records(seen) == ["a"], "the record")


@pytest.mark.rule(CREATE)
def test_a_second_mapping_of_the_same_pair_is_refused(clients, mapping, stream):
    """A function can have one mapping for a stream."""
    mapping()
    with pytest.raises(clients("lambda").exceptions.ResourceConflictException):
        clients("lambda").create_event_source_mapping(EventSourceArn=stream, FunctionName="consumer", StartingPosition="LATEST")


@pytest.mark.rule("streams/latest/dev/kinesis-using-sdk-java-after-resharding.html")
def test_the_parents_of_a_split_are_read_before_the_children(clients, mapping, seen):
    """After a split the records of the parent shard are processed before those of its children."""
    put(clients, *"abc")
    shard = clients("kinesis").list_shards(StreamName="stream")["Shards"][0]
    middle = str((int(shard["HashKeyRange"]["StartingHashKey"]) + int(shard["HashKeyRange"]["EndingHashKey"])) // 2)
    clients("kinesis").split_shard(StreamName="stream", ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)
    put(clients, *"defgh")
    mapping(BatchSize=1)
    wait_until(lambda: len(records(seen)) == 8, "all records")
    assert sorted(records(seen)[:3]) == ["a", "b", "c"]


@pytest.mark.rule("kinesis/latest/APIReference/API_GetRecords.html")
@pytest.mark.parametrize("how", ["split", "merge"])
def test_the_end_of_a_shard_names_its_children(clients, how):
    """GetRecords at the end of a closed shard has no next iterator, and names its child shards with parents and hash keys."""
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="resharded", ShardCount=1 if how == "split" else 2)
    kinesis.get_waiter("stream_exists").wait(StreamName="resharded", WaiterConfig={"Delay": 1})
    first, second = "shardId-000000000000", "shardId-000000000001"
    if how == "split":
        kinesis.split_shard(StreamName="resharded", ShardToSplit=first, NewStartingHashKey=str(2**127))
    else:
        kinesis.merge_shards(StreamName="resharded", ShardToMerge=first, AdjacentShardToMerge=second)
    kinesis.get_waiter("stream_exists").wait(StreamName="resharded", WaiterConfig={"Delay": 1})
    iterator = kinesis.get_shard_iterator(StreamName="resharded", ShardId=first, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    answer = kinesis.get_records(ShardIterator=iterator)
    assert "NextShardIterator" not in answer
    children = {child["ShardId"]: child for child in answer["ChildShards"]}
    shards = {shard["ShardId"]: shard for shard in kinesis.list_shards(StreamName="resharded")["Shards"]}
    assert set(children) == set(shards) - {first, second} if how == "merge" else set(children) == set(shards) - {first}
    for name, child in children.items():
        assert child["HashKeyRange"] == shards[name]["HashKeyRange"]
        assert child["ParentShards"] == ([first] if how == "split" else [first, second])
