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

from tests.conformance.functions import wait_until

DELIVERY = "firehose/latest/dev/basic-deliver.html"
NAMES = "firehose/latest/dev/s3-object-name.html"
PREFIXES = "firehose/latest/dev/s3-prefixes.html"
TRANSFORM = "firehose/latest/dev/data-transformation-status-model.html"
PARTITIONS = "firehose/latest/dev/dynamic-partitioning.html"
PUT = "firehose/latest/APIReference/API_PutRecordBatch.html"

HOUR = r"\d{4}/\d{2}/\d{2}/\d{2}/"


@pytest.fixture
def bucket(clients):
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


def put(clients, *data):
    return clients("firehose").put_record_batch(DeliveryStreamName="stream", Records=[{"Data": d.encode()} for d in data])


@pytest.fixture
def objects(clients, bucket):
    """{key: bytes} of the bucket, below a prefix."""

    def look(prefix=""):
        listed = clients("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {one["Key"]: clients("s3").get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed}

    return look


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


TRANSFORMER = """
def handler(event, context):
    note(event)
    out = []
    for record in event["records"]:
        data = base64.b64decode(record["data"]).decode()
        if data == "drop":
            out.append({"recordId": record["recordId"], "result": "Dropped", "data": record["data"]})
        elif data == "fail":
            out.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
        elif data == "raise":
            raise ValueError("poison")
        elif data != "forget":
            changed = base64.b64encode((data.upper() + ";").encode()).decode()
            keys = {"partitionKeys": {"kind": data[0]}}
            out.append({"recordId": record["recordId"], "result": "Ok", "data": changed, "metadata": keys})
    return {"records": out}
"""


@pytest.fixture
def transformer(clients, functions, seen, note):
    functions.create("transform", note + TRANSFORMER, Timeout=30)
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:transform"
    parameters = [
        {"ParameterName": "LambdaArn", "ParameterValue": arn},
        {"ParameterName": "NumberOfRetries", "ParameterValue": "1"},
    ]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": parameters}]}


@pytest.mark.rule(TRANSFORM)
def test_transformed_records_are_delivered(clients, firehose, objects, transformer):
    """A record with the result Ok is delivered with the data that the function returned."""
    firehose(ProcessingConfiguration=transformer)
    put(clients, "a", "b")
    assert list(wait_until(objects, "an object").values()) == [b"A;B;"]


@pytest.mark.rule("firehose/latest/dev/data-transformation.html")
def test_the_event_of_a_transformation(clients, firehose, objects, transformer, seen):
    """A transformation gets invocation id, stream ARN, region, and records with id, time of arrival and base64 data."""
    firehose(ProcessingConfiguration=transformer)
    put(clients, "a")
    event = wait_until(seen, "an event")[0]
    assert event["deliveryStreamArn"] == f"arn:aws:firehose:us-east-1:{clients.account}:deliverystream/stream"
    assert (event["region"], bool(event["invocationId"])) == ("us-east-1", True)
    (record,) = event["records"]
    assert base64.b64decode(record["data"]) == b"a"
    assert isinstance(record["approximateArrivalTimestamp"], int)
    assert record["recordId"]


@pytest.mark.rule(TRANSFORM)
def test_dropped_records_are_not_delivered(clients, firehose, objects, transformer):
    """A record with the result Dropped is delivered nowhere."""
    firehose(ProcessingConfiguration=transformer)
    put(clients, "a", "drop", "b")
    assert list(wait_until(objects, "an object").values()) == [b"A;B;"]


@pytest.mark.rule(TRANSFORM)
@pytest.mark.parametrize("data", ["fail", "forget"])
def test_failed_records_go_to_the_error_prefix(clients, firehose, objects, transformer, data):
    """A record with the result ProcessingFailed, or that the function does not return, goes to processing-failed with its raw data."""
    firehose(ProcessingConfiguration=transformer)
    put(clients, "a", data)
    found = wait_until(lambda: objects("processing-failed/"), "an object below the error prefix")
    ((key, body),) = found.items()
    assert re.match(rf"processing-failed/{HOUR}stream-1-", key)
    line = json.loads(body)
    assert base64.b64decode(line["rawData"]) == data.encode()
    assert line["errorCode"].startswith("Lambda.")
    assert {"attemptsMade", "arrivalTimestamp", "errorMessage", "attemptEndingTimestamp", "lambdaArn"} <= line.keys()
    assert b"A;" in objects().values()


@pytest.mark.rule("firehose/latest/dev/data-transformation-failure-handling.html")
def test_a_failing_function_is_retried_and_its_batch_kept(clients, firehose, objects, transformer, seen):
    """When the function fails NumberOfRetries more times, its records go to processing-failed; none is lost."""
    firehose(ProcessingConfiguration=transformer)
    put(clients, "a", "raise")
    (body,) = wait_until(lambda: objects("processing-failed/"), "an object below the error prefix").values()
    lines = [json.loads(line) for line in body.splitlines()]
    assert sorted(base64.b64decode(line["rawData"]) for line in lines) == [b"a", b"raise"]
    assert {line["attemptsMade"] for line in lines} == {2}
    assert len(seen()) == 2


@pytest.mark.rule(PREFIXES)
def test_the_error_prefix_of_ones_own(clients, firehose, objects, transformer):
    """ErrorOutputPrefix decides where failed records go."""
    prefix = "failed/!{firehose:error-output-type}/!{timestamp:yyyy}/"
    firehose(ProcessingConfiguration=transformer, ErrorOutputPrefix=prefix)
    put(clients, "fail")
    (key,) = wait_until(lambda: objects("failed/"), "an object below the error prefix")
    assert re.match(r"failed/processing-failed/\d{4}/stream-1-", key)


@pytest.mark.rule("firehose/latest/dev/data-transformation.html")
def test_the_backup_has_the_source_records(clients, firehose, objects, transformer, bucket):
    """S3BackupMode Enabled delivers the records as they came to the backup destination."""
    backup = {
        "RoleARN": f"arn:aws:iam::{clients.account}:role/firehose",
        "BucketARN": f"arn:aws:s3:::{bucket}",
        "Prefix": "backup/",
    }
    firehose(ProcessingConfiguration=transformer, S3BackupMode="Enabled", S3BackupConfiguration=backup, Prefix="made/")
    put(clients, "a", "drop", "fail")
    wait_until(lambda: objects("made/") and objects("backup/"), "both objects")
    assert list(objects("backup/").values()) == [b"adropfail"]


ERRORS = "errors/!{firehose:error-output-type}/"


@pytest.fixture
def partitioned(firehose):
    def create(prefix, processors):
        firehose(
            Prefix=prefix,
            ErrorOutputPrefix=ERRORS,
            BufferingHints={"IntervalInSeconds": 1, "SizeInMBs": 64},
            DynamicPartitioningConfiguration={"Enabled": True},
            ProcessingConfiguration={"Enabled": True, "Processors": processors},
        )

    return create


QUERY = {
    "Type": "MetadataExtraction",
    "Parameters": [
        {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{kind: .type, customer: .customer.id}"},
        {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
    ],
}


@pytest.mark.rule(PARTITIONS)
def test_partitions_by_a_query(clients, partitioned, objects):
    """Records are partitioned by the values that a jq query finds in them."""
    partitioned("kind=!{partitionKeyFromQuery:kind}/customer=!{partitionKeyFromQuery:customer}/", [QUERY])
    put(clients, *(json.dumps({"type": kind, "customer": {"id": n}}) for kind, n in [("a", 1), ("b", 1), ("a", 1), ("a", 2)]))
    found = wait_until(lambda: len(objects()) == 3 and objects(), "three objects")
    assert sorted(key.rpartition("/")[0] for key in found) == ["kind=a/customer=1", "kind=a/customer=2", "kind=b/customer=1"]


@pytest.mark.rule(PARTITIONS)
def test_records_without_a_partition_key_go_to_the_error_prefix(clients, partitioned, objects):
    """A record in which a partition key is not found goes to the error prefix."""
    partitioned("kind=!{partitionKeyFromQuery:kind}/", [QUERY])
    put(clients, '{"type": "a", "customer": {"id": 1}}', '{"other": 1}', "no json")
    (body,) = wait_until(lambda: objects("errors/"), "an object below the error prefix").values()
    raw = [base64.b64decode(json.loads(line)["rawData"]) for line in body.splitlines()]
    assert sorted(raw) == [b"no json", b'{"other": 1}']


@pytest.mark.rule(PARTITIONS)
def test_partitions_by_a_function(clients, partitioned, objects, transformer):
    """Records are partitioned by the partitionKeys that the transformation returns."""
    partitioned("kind=!{partitionKeyFromLambda:kind}/", transformer["Processors"])
    put(clients, "x1", "y1", "x2")
    found = wait_until(lambda: len(objects()) == 2 and objects(), "two objects")
    assert sorted((key.partition("/")[0], body) for key, body in found.items()) == [("kind=x", b"X1;X2;"), ("kind=y", b"Y1;")]


@pytest.mark.rule(PARTITIONS)
def test_delimiters_are_appended(clients, partitioned, objects):
    """AppendDelimiterToRecord ends each record with a newline."""
    partitioned("kind=!{partitionKeyFromQuery:kind}/", [QUERY, {"Type": "AppendDelimiterToRecord", "Parameters": []}])
    put(clients, '{"type":"a","customer":{"id":1}}', '{"type":"a","customer":{"id":2}}')
    (body,) = wait_until(objects, "an object").values()
    assert body == b'{"type":"a","customer":{"id":1}}\n{"type":"a","customer":{"id":2}}\n'


def processor(kind, **parameters):
    return {"Type": kind, "Parameters": [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]}


SPLIT = "firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html"
KIND = processor("MetadataExtraction", MetadataExtractionQuery="{kind: .kind}", JsonParsingEngine="JQ-1.6")
BY_KIND = "kind=!{partitionKeyFromQuery:kind}/"


def errors(objects):
    """The raw data of the lines below the error prefix."""
    return [base64.b64decode(json.loads(line)["rawData"]) for body in objects("errors/").values() for line in body.splitlines()]


@pytest.mark.rule(SPLIT)
def test_records_are_split_before_they_are_transformed(clients, partitioned, objects, functions):
    """RecordDeAggregation comes before the function and the query, in whatever order they are given: the function gets each record by itself."""
    source = """
import base64
def handler(event, context):
    made = []
    for record in event["records"]:
        text = base64.b64decode(record["data"]).decode().replace("}", ', "of": %d}' % len(event["records"]))
        made.append({"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(text.encode()).decode()})
    return {"records": made}
"""
    functions.create("enrich", source)
    arn = f"arn:aws:lambda:us-east-1:{clients.account}:function:enrich"
    partitioned(BY_KIND, [KIND, processor("Lambda", LambdaArn=arn), processor("RecordDeAggregation", SubRecordType="JSON")])
    put(clients, '{"kind":"a"}{"kind":"b"}')
    found = wait_until(lambda: len(objects()) == 2 and objects(), "two objects")
    assert sorted(found.values()) == [b'{"kind":"a", "of": 2}', b'{"kind":"b", "of": 2}']


@pytest.mark.rule(SPLIT)
def test_a_delimiter_is_base64(clients, partitioned, objects):
    """The Delimiter of a RecordDeAggregation is base64: IyMjIw== is ####."""
    partitioned(BY_KIND, [processor("RecordDeAggregation", SubRecordType="DELIMITED", Delimiter="IyMjIw=="), KIND])
    put(clients, '{"kind":"a"}####{"kind":"b"}')
    found = wait_until(lambda: len(objects()) == 2 and objects(), "two objects")
    assert sorted(key.partition("/")[0] for key in found) == ["kind=a", "kind=b"]


@pytest.mark.rule("firehose/latest/dev/dynamic-partitioning-error-handling.html")
def test_of_a_record_that_was_split_only_the_bad_part_is_an_error(clients, partitioned, objects):
    """The error prefix has the parts that were not delivered, not those that were."""
    partitioned(BY_KIND, [processor("RecordDeAggregation", SubRecordType="JSON"), KIND])
    put(clients, '{"kind":"a"}{"other":1}')
    wait_until(lambda: objects("kind=") and objects("errors/"), "both objects")
    assert errors(objects) == [b'{"other":1}']


@pytest.mark.rule("firehose/latest/dev/dynamic-partitioning-error-handling.html")
def test_a_function_that_returns_no_partition_key(clients, partitioned, objects, transformer):
    """A record without a partition key that the prefix names goes to the error prefix."""
    partitioned("kind=!{partitionKeyFromLambda:another}/", transformer["Processors"])
    put(clients, "x1")
    wait_until(lambda: objects("errors/"), "an object below the error prefix")
    assert (errors(objects), objects("kind=")) == ([b"x1"], {})


@pytest.mark.rule("firehose/latest/dev/limits.html")
def test_500_partitions_are_active_at_most(clients, partitioned, objects):
    """The records of a buffer's 501st partition, and of further ones, go to the error prefix."""
    partitioned(BY_KIND, [processor("RecordDeAggregation", SubRecordType="JSON"), KIND])
    put(clients, "".join(json.dumps({"kind": f"{n:03d}"}) for n in range(503)))
    wait_until(lambda: objects("errors/"), "an object below the error prefix")
    assert sorted(json.loads(one)["kind"] for one in errors(objects)) == ["500", "501", "502"]
    assert clients("s3").list_objects_v2(Bucket=f"lake-{clients.account}", Prefix="kind=")["KeyCount"] == 500


DECOMPRESSION = processor("Decompression", CompressionFormat="GZIP")


@pytest.mark.rule("firehose/latest/dev/writing-with-cloudwatch-logs-decompression.html")
def test_what_cannot_be_decompressed_goes_to_the_error_prefix(clients, firehose, objects, transformer):
    """Decompression comes before the function; a record that is not GZIP goes to decompression-failed."""
    options = {"Enabled": True, "Processors": [*transformer["Processors"], DECOMPRESSION]}
    firehose(Prefix="made/", ErrorOutputPrefix=ERRORS, ProcessingConfiguration=options)
    records = [{"Data": gzip.compress(b"good")}, {"Data": b"plain"}]
    clients("firehose").put_record_batch(DeliveryStreamName="stream", Records=records)
    wait_until(lambda: objects("made/") and objects("errors/decompression-failed/"), "both objects")
    assert (list(objects("made/").values()), errors(objects)) == ([b"GOOD;"], [b"plain"])


@pytest.mark.rule("firehose/latest/dev/Message_extraction.html")
def test_messages_of_cloudwatch_logs_are_extracted(clients, firehose, objects):
    """CloudWatchLogProcessing with DataMessageExtraction delivers the messages alone, each on its line."""
    options = {"Enabled": True, "Processors": [DECOMPRESSION, processor("CloudWatchLogProcessing", DataMessageExtraction="true")]}
    firehose(ProcessingConfiguration=options)
    events = [{"id": str(n), "timestamp": n, "message": f"line {n}"} for n in range(2)]
    document = {"messageType": "DATA_MESSAGE", "logGroup": "g", "logStream": "s", "logEvents": events}
    records = [{"Data": gzip.compress(json.dumps(document).encode())}]
    clients("firehose").put_record_batch(DeliveryStreamName="stream", Records=records)
    assert list(wait_until(objects, "an object").values()) == [b"line 0\nline 1\n"]


@pytest.mark.rule(PARTITIONS)
def test_partition_keys_need_dynamic_partitioning(clients, firehose):
    """A prefix with partition keys is refused without dynamic partitioning."""
    with pytest.raises(clients("firehose").exceptions.InvalidArgumentException):
        firehose(Prefix="kind=!{partitionKeyFromQuery:kind}/", ErrorOutputPrefix=ERRORS)


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
