"""DynamoDB streams and their event source mappings."""

from __future__ import annotations

import json

import pytest

from tests.conformance.functions import wait_until

STREAMS = "amazondynamodb/latest/developerguide/Streams.html"
RECORD = "amazondynamodb/latest/APIReference/API_streams_StreamRecord.html"
MAPPING = "lambda/latest/dg/with-ddb.html"


def created(clients, view="NEW_AND_OLD_IMAGES", name="table"):
    described = clients("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
    )
    return described["TableDescription"]["LatestStreamArn"]


@pytest.fixture
def stream(clients):
    return created(clients)


def read(clients, arn, kind="TRIM_HORIZON", **position):
    api = clients("dynamodbstreams")
    shard = api.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = api.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **position)["ShardIterator"]
    return api.get_records(ShardIterator=iterator)["Records"]


def item(number, **more):
    return {"id": {"S": str(number)}, **{name: {"S": value} for name, value in more.items()}}


def put(clients, number, **more):
    clients("dynamodb").put_item(TableName="table", Item=item(number, **more))


@pytest.mark.rule(STREAMS)
def test_a_new_item_is_an_insert(clients, stream):
    """A new item makes a record INSERT with the new image and no old one."""
    put(clients, 1, a="x")
    (record,) = read(clients, stream)
    assert record["eventName"] == "INSERT"
    assert record["dynamodb"]["NewImage"] == item(1, a="x")
    assert "OldImage" not in record["dynamodb"]
    assert record["dynamodb"]["Keys"] == {"id": {"S": "1"}}


@pytest.mark.rule(STREAMS)
def test_a_changed_item_is_a_modify(clients, stream):
    """A changed item makes a record MODIFY with both images."""
    put(clients, 1, a="x")
    put(clients, 1, a="y")
    record = read(clients, stream)[1]
    assert record["eventName"] == "MODIFY"
    assert record["dynamodb"]["OldImage"] == item(1, a="x")
    assert record["dynamodb"]["NewImage"] == item(1, a="y")


@pytest.mark.rule(STREAMS)
def test_a_deleted_item_is_a_remove(clients, stream):
    """A deleted item makes a record REMOVE with the old image and no new one."""
    put(clients, 1, a="x")
    clients("dynamodb").delete_item(TableName="table", Key=item(1))
    record = read(clients, stream)[1]
    assert record["eventName"] == "REMOVE"
    assert record["dynamodb"]["OldImage"] == item(1, a="x")
    assert "NewImage" not in record["dynamodb"]


@pytest.mark.rule(STREAMS)
def test_a_write_that_changes_nothing_makes_no_record(clients, stream):
    """A put that leaves the item as it was writes no stream record."""
    put(clients, 1, a="x")
    put(clients, 1, a="x")
    assert len(read(clients, stream)) == 1


@pytest.mark.rule(STREAMS)
def test_an_update_that_creates_an_item_is_one_insert(clients, stream):
    """UpdateItem of an item that does not exist makes one record INSERT with the whole new image."""
    clients("dynamodb").update_item(
        TableName="table", Key=item(1), UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": {"S": "x"}}
    )
    (record,) = read(clients, stream)
    assert (record["eventName"], record["dynamodb"]["NewImage"]) == ("INSERT", item(1, a="x"))


@pytest.mark.rule(STREAMS)
@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_the_view_type_says_which_images_a_record_has(clients, view, images):
    """StreamViewType decides which images of an item a record has."""
    stream = created(clients, view)
    put(clients, 1, a="x")
    put(clients, 1, a="y")
    record = read(clients, stream)[1]["dynamodb"]
    assert record.keys() & {"NewImage", "OldImage"} == images
    assert record["StreamViewType"] == view


@pytest.mark.rule(RECORD)
def test_sequence_numbers_rise(clients, stream):
    """The records of an item come in the order of its changes, with rising sequence numbers of 21 to 40 digits."""
    for value in "abc":
        put(clients, 1, a=value)
    records = read(clients, stream)
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    assert [record["dynamodb"]["NewImage"]["a"]["S"] for record in records] == ["a", "b", "c"]
    assert sorted(numbers, key=int) == numbers
    assert len(set(numbers)) == 3
    assert all(21 <= len(number) <= 40 for number in numbers)


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html")
def test_an_iterator_after_a_sequence_number_begins_behind_it(clients, stream):
    """AFTER_SEQUENCE_NUMBER begins with the record after the given one."""
    for value in "abc":
        put(clients, value)
    first = read(clients, stream)[0]["dynamodb"]["SequenceNumber"]
    assert len(read(clients, stream, "AFTER_SEQUENCE_NUMBER", SequenceNumber=first)) == 2
    assert len(read(clients, stream, "AT_SEQUENCE_NUMBER", SequenceNumber=first)) == 3
    assert read(clients, stream, "LATEST") == []


@pytest.mark.rule("amazondynamodb/latest/developerguide/transaction-apis.html")
def test_a_failed_transaction_makes_no_record(clients, stream):
    """A transaction that is cancelled changes nothing and writes no stream records; one that succeeds writes one per item."""
    client = clients("dynamodb")
    failing = {"TableName": "table", "Key": item(9), "ConditionExpression": "attribute_exists(id)"}
    puts = [{"Put": {"TableName": "table", "Item": item(number)}} for number in (1, 2)]
    with pytest.raises(client.exceptions.TransactionCanceledException):
        client.transact_write_items(TransactItems=[*puts, {"ConditionCheck": failing}])
    assert read(clients, stream) == []
    client.transact_write_items(TransactItems=puts)
    assert len(read(clients, stream)) == 2


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_BatchWriteItem.html")
def test_a_batch_makes_a_record_per_item(clients, stream):
    """BatchWriteItem makes one stream record for each item that it puts or deletes."""
    requests = [{"PutRequest": {"Item": item(number)}} for number in range(3)]
    clients("dynamodb").batch_write_item(RequestItems={"table": requests})
    clients("dynamodb").batch_write_item(RequestItems={"table": [{"DeleteRequest": {"Key": item(0)}}]})
    assert [record["eventName"] for record in read(clients, stream)] == ["INSERT", "INSERT", "INSERT", "REMOVE"]


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_streams_ListStreams.html")
def test_list_streams_names_the_streams_of_a_table(clients, stream):
    """ListStreams names the stream of a table with its label."""
    (found,) = clients("dynamodbstreams").list_streams(TableName="table")["Streams"]
    assert found["StreamArn"] == stream
    assert stream.endswith(found["StreamLabel"])


@pytest.mark.rule("amazondynamodb/latest/APIReference/API_streams_DescribeStream.html")
def test_a_stream_that_does_not_exist_is_not_found(clients, stream):
    """DescribeStream of an unknown stream answers ResourceNotFoundException."""
    with pytest.raises(clients("dynamodbstreams").exceptions.ResourceNotFoundException):
        clients("dynamodbstreams").describe_stream(StreamArn=stream.rpartition("/")[0] + "/2020-01-01T00:00:00.000")


COLLECT = """
def handler(event, context):
    names = [(r["eventName"], r["dynamodb"]["Keys"]["id"]["S"]) for r in event["Records"]]
    if os.environ.get("FAIL") and any(key == os.environ["FAIL"] for _, key in names):
        note(("failed", names))
        raise ValueError("poison")
    note(("batch", names, event["Records"][0]))
"""


@pytest.fixture
def mapping(clients, functions, note, seen, stream):
    def connect(variables=None, **options):
        functions.create("consumer", note + COLLECT, Timeout=30, Environment={"Variables": variables or {}})
        options = {"StartingPosition": "TRIM_HORIZON", **options}
        return clients("lambda").create_event_source_mapping(EventSourceArn=stream, FunctionName="consumer", **options)["UUID"]

    return connect


def keys(seen):
    return [key for what in seen() if what[0] == "batch" for _, key in what[1]]


@pytest.mark.rule(MAPPING)
def test_a_mapping_invokes_with_the_records(clients, mapping, seen, stream):
    """A mapping on a DynamoDB stream invokes the function with its records, in order."""
    mapping()
    for number in range(3):
        put(clients, number, a="x")
    wait_until(lambda: len(keys(seen)) == 3, "all records")
    assert keys(seen) == ["0", "1", "2"]
    record = seen()[0][2]
    assert (record["eventSource"], record["eventSourceARN"], record["eventVersion"]) == ("aws:dynamodb", stream, "1.1")
    assert record["dynamodb"]["NewImage"] == item(0, a="x")


@pytest.mark.rule("lambda/latest/dg/with-ddb-filtering.html")
def test_filters_look_at_the_images(clients, mapping, seen):
    """A filter can look at the event's name and at the attributes of its images."""
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"a": {"S": ["yes"]}}}}
    mapping(FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    put(clients, 1, a="no")
    put(clients, 2, a="yes")
    put(clients, 2, a="no")
    put(clients, 3, a="yes")
    wait_until(lambda: len(keys(seen)) == 2, "the records that match")
    assert keys(seen) == ["2", "3"]


@pytest.mark.rule("lambda/latest/dg/services-dynamodb-errors.html")
def test_a_discarded_batch_is_told_to_the_destination(clients, mapping, seen, stream):
    """A batch that exhausts its retries goes to the failure destination with DDBStreamBatchInfo, and the stream goes on."""
    url = clients("sqs").create_queue(QueueName="failed")["QueueUrl"]
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{clients.account}:failed"}}
    mapping({"FAIL": "p"}, BatchSize=1, MaximumRetryAttempts=1, DestinationConfig=destination)
    put(clients, "p")
    put(clients, "next")
    wait_until(lambda: keys(seen) == ["next"], "the next record")
    message = clients("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"][0]
    told = json.loads(message["Body"])
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert (told["DDBStreamBatchInfo"]["batchSize"], told["DDBStreamBatchInfo"]["streamArn"]) == (1, stream)


@pytest.mark.rule("lambda/latest/dg/with-ddb-create-package.html")
def test_a_mapping_that_is_enabled_again_goes_on_where_it_was(clients, mapping, seen):
    """A mapping on a DynamoDB stream that is disabled and enabled again continues with the first record that it has not processed."""
    uuid = mapping()
    put(clients, 1)
    wait_until(lambda: keys(seen) == ["1"], "the first record")
    client = clients("lambda")
    client.update_event_source_mapping(UUID=uuid, Enabled=False)
    wait_until(lambda: client.get_event_source_mapping(UUID=uuid)["State"] == "Disabled", "the mapping to be disabled")
    put(clients, 2)
    client.update_event_source_mapping(UUID=uuid, Enabled=True)
    wait_until(lambda: len(keys(seen)) >= 2, "the record of the pause")
    assert keys(seen) == ["1", "2"]
