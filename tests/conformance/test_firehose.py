"""Firehose delivery streams to S3."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import time

import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from tests.conformance.deliveries import put
from tests.conformance.functions import wait_until

DELIVERY = "firehose/latest/dev/basic-deliver.html"
NAMES = "firehose/latest/dev/s3-object-name.html"
PREFIXES = "firehose/latest/dev/s3-prefixes.html"
TRANSFORM = "firehose/latest/dev/data-transformation-status-model.html"
PARTITIONS = "firehose/latest/dev/dynamic-partitioning.html"
PUT = "firehose/latest/APIReference/API_PutRecordBatch.html"

HOUR = r"\d{4}/\d{2}/\d{2}/\d{2}/"


@pytest.mark.rule(DELIVERY)
def test_records_are_concatenated(clients, firehose, objects):
    """The records of a buffer are concatenated into one object, without delimiters."""
    firehose()
    put(clients, "a", "b", "c")
    assert list(wait_until(objects, "an object").values()) == [b"abc"]


@pytest.mark.rule(DELIVERY)
def test_the_buffer_interval_delays_delivery(clients, firehose, objects):
    """A record waits in the buffer for IntervalInSeconds, together with those that come meanwhile."""
    firehose(BufferingHints={"IntervalInSeconds": 4, "SizeInMBs": 5})
    began = time.monotonic()
    put(clients, "a")
    put(clients, "b")
    found = wait_until(objects, "an object")
    assert time.monotonic() - began >= 3
    assert list(found.values()) == [b"ab"]


@pytest.mark.rule(DELIVERY)
def test_a_full_buffer_is_delivered_at_once(clients, firehose, objects):
    """A buffer that has reached SizeInMBs is delivered before its interval is over."""
    firehose(BufferingHints={"IntervalInSeconds": 600, "SizeInMBs": 1})
    put(clients, "x" * 900_000)
    put(clients, "y" * 900_000)
    found = wait_until(objects, "an object", timeout_s=30)
    assert sum(map(len, found.values())) == 1_800_000


@pytest.mark.rule(NAMES)
def test_an_object_is_named_by_stream_version_and_time(clients, firehose, objects):
    """An object's key is the hour in UTC, then stream, version, time and a random string."""
    firehose(Prefix="raw/")
    put(clients, "a")
    (key,) = wait_until(objects, "an object")
    assert re.fullmatch(rf"raw/{HOUR}stream-1-\d{{4}}-\d{{2}}-\d{{2}}-\d{{2}}-\d{{2}}-\d{{2}}-[0-9a-f-]{{36}}", key)


@pytest.mark.rule(PREFIXES)
def test_a_prefix_is_not_followed_by_a_slash(clients, firehose, objects):
    """Firehose adds the hour to a prefix without expressions, and no slash before it."""
    firehose(Prefix="raw-")
    put(clients, "a")
    (key,) = wait_until(objects, "an object")
    assert re.match(rf"raw-{HOUR}", key)


@pytest.mark.rule(PREFIXES)
def test_timestamps_in_a_prefix(clients, firehose, objects):
    """!{timestamp:…} is formatted by Java's patterns, and the hour is not added then."""
    firehose(Prefix="year=!{timestamp:yyyy}/day=!{timestamp:dd}/", ErrorOutputPrefix="errors/!{firehose:error-output-type}/")
    put(clients, "a")
    (key,) = wait_until(objects, "an object")
    assert re.match(r"year=\d{4}/day=\d{2}/stream-1-", key)


@pytest.mark.rule(PREFIXES)
def test_a_random_string_in_a_prefix(clients, firehose, objects):
    """!{firehose:random-string} stands for eleven random characters."""
    firehose(Prefix="a/!{firehose:random-string}/", ErrorOutputPrefix="errors/!{firehose:error-output-type}/")
    put(clients, "a")
    (key,) = wait_until(objects, "an object")
    assert re.match(r"a/[A-Za-z0-9]{11}/", key)


@pytest.mark.rule(PREFIXES)
@pytest.mark.parametrize(
    "options",
    [
        {"Prefix": "a/!{timestamp:yyyy}/"},
        {"Prefix": "a/!{timestamp:yyyy}/", "ErrorOutputPrefix": "errors/!{timestamp:yyyy}/"},
        {"Prefix": "a/!{firehose:error-output-type}/", "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/"},
    ],
    ids=["no error prefix", "no error type", "error type in the prefix"],
)
def test_wrong_prefixes_are_refused(clients, firehose, options):
    """Expressions in Prefix need an ErrorOutputPrefix, and that one needs the error type."""
    with pytest.raises(clients("firehose").exceptions.InvalidArgumentException):
        firehose(**options)


@pytest.mark.rule("firehose/latest/dev/create-destination.html")
def test_compression(clients, firehose, objects):
    """CompressionFormat GZIP compresses objects, and their keys end in .gz."""
    firehose(CompressionFormat="GZIP")
    put(clients, "a", "b")
    ((key, body),) = wait_until(objects, "an object").items()
    assert (key[-3:], gzip.decompress(body)) == (".gz", b"ab")


@pytest.mark.rule("firehose/latest/APIReference/API_PutRecord.html")
def test_put_record_answers_an_id(clients, firehose, objects):
    """PutRecord answers the record's id."""
    firehose()
    first = clients("firehose").put_record(DeliveryStreamName="stream", Record={"Data": b"a"})["RecordId"]
    second = clients("firehose").put_record(DeliveryStreamName="stream", Record={"Data": b"b"})["RecordId"]
    assert first != second


@pytest.mark.rule(PUT)
def test_a_batch_has_at_most_500_records(clients, firehose):
    """PutRecordBatch refuses more than 500 records."""
    firehose()
    with pytest.raises(clients("firehose").exceptions.ClientError):
        put(clients, *["x"] * 501)


@pytest.mark.rule(PUT)
def test_a_batch_has_at_most_4_mb(clients, firehose):
    """PutRecordBatch refuses more than 4 MiB."""
    firehose()
    with pytest.raises(clients("firehose").exceptions.ClientError):
        put(clients, *["x" * 900_000] * 5)


@pytest.mark.rule("firehose/latest/APIReference/API_PutRecord.html")
def test_a_record_has_at_most_1000_kib(clients, firehose):
    """A record has at most 1,000 KiB."""
    firehose()
    with pytest.raises(clients("firehose").exceptions.ClientError):
        put(clients, "x" * (1000 * 1024 + 1))


@pytest.mark.rule("firehose/latest/APIReference/API_PutRecord.html")
def test_an_unknown_stream_is_not_found(clients):
    """PutRecord into an unknown delivery stream answers ResourceNotFoundException."""
    with pytest.raises(clients("firehose").exceptions.ResourceNotFoundException):
        put(clients, "a")


@pytest.fixture
def stream(clients):
    kinesis = clients("kinesis")
    kinesis.create_stream(StreamName="source", ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName="source", WaiterConfig={"Delay": 1})
    return kinesis.describe_stream(StreamName="source")["StreamDescription"]["StreamARN"]


@pytest.mark.rule("firehose/latest/dev/writing-with-kinesis-streams.html")
def test_a_kinesis_stream_is_a_source(clients, firehose, objects, stream, transformer, seen):
    """A delivery stream reads the records of a Kinesis stream, and tells a transformation their metadata."""
    firehose(source=stream, ProcessingConfiguration=transformer)
    for n in range(4):
        clients("kinesis").put_record(StreamName="source", Data=f"{n}".encode(), PartitionKey=f"{n}")
    wait_until(lambda: sorted(b"".join(objects().values()).split(b";")) == [b"", b"0", b"1", b"2", b"3"], "all records")
    event = seen()[0]
    assert event["sourceKinesisStreamArn"] == stream
    assert {"sequenceNumber", "partitionKey", "shardId", "approximateArrivalTimestamp"} <= event["records"][0][
        "kinesisRecordMetadata"
    ].keys()


@pytest.mark.rule("firehose/latest/dev/writing-with-kinesis-streams.html")
def test_puts_into_a_stream_with_a_source_are_refused(clients, firehose, stream):
    """PutRecord is refused where Kinesis is the source."""
    firehose(source=stream)
    with pytest.raises(clients("firehose").exceptions.InvalidArgumentException):
        put(clients, "a")


@pytest.fixture
def converted(clients, firehose, request):
    glue = clients("glue")
    glue.create_database(DatabaseInput={"Name": "lake"})
    columns = [{"Name": "id", "Type": "string"}, {"Name": "amount", "Type": "double"}, {"Name": "tags", "Type": "array<string>"}]
    table = {"Name": "events", "StorageDescriptor": {"Columns": columns}}
    glue.create_table(DatabaseName="lake", TableInput=table)
    firehose(
        Prefix="data/",
        BufferingHints={"IntervalInSeconds": 1, "SizeInMBs": 64},
        DataFormatConversionConfiguration={
            "Enabled": True,
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {getattr(request, "param", "ParquetSerDe"): {}}},
            "SchemaConfiguration": {
                "DatabaseName": "lake", "TableName": "events", "Region": "us-east-1",
                "RoleARN": f"arn:aws:iam::{clients.account}:role/firehose",
            },
        },
    )  # fmt: skip


@pytest.mark.rule("firehose/latest/dev/record-format-conversion.html")
@pytest.mark.parametrize("converted", ["OrcSerDe"], indirect=True)
def test_records_become_orc(clients, converted, objects):
    """With an OrcSerDe records are converted to ORC."""
    put(clients, '{"id": "a", "amount": 1.5, "tags": ["x"]}')
    ((key, body),) = wait_until(lambda: objects("data/"), "an object").items()
    assert (key[-4:], orc.read_table(io.BytesIO(body)).to_pylist()) == (".orc", [{"id": "a", "amount": 1.5, "tags": ["x"]}])


@pytest.mark.rule("firehose/latest/dev/record-format-conversion.html")
def test_records_become_parquet(clients, converted, objects):
    """Records are converted to Parquet by the schema of a Glue table."""
    put(clients, '{"id": "a", "amount": 1.5, "tags": ["x"]}', '{"ID": "b", "amount": 2}')
    ((key, body),) = wait_until(lambda: objects("data/"), "an object").items()
    rows = pq.read_table(io.BytesIO(body)).to_pylist()
    assert rows == [{"id": "a", "amount": 1.5, "tags": ["x"]}, {"id": "b", "amount": 2.0, "tags": None}]
    assert key.endswith(".parquet")


@pytest.mark.rule("firehose/latest/dev/record-format-conversion.html")
def test_records_that_cannot_be_converted_go_to_the_error_prefix(clients, converted, objects):
    """A record that is no JSON, or does not fit the schema, goes to format-conversion-failed."""
    put(clients, '{"id": "a", "amount": 1.5}', "no json", '{"id": "b", "amount": "many"}')
    found = wait_until(
        lambda: {k: v for k, v in objects().items() if "format-conversion-failed" in k}, "an object below the error prefix"
    )
    raw = [base64.b64decode(json.loads(line)["rawData"]) for body in found.values() for line in body.splitlines()]
    assert sorted(raw) == [b"no json", b'{"id": "b", "amount": "many"}']
