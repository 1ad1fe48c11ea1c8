"""Firehose: transformation by functions, and dynamic partitioning."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pytest

from tests.conformance.deliveries import ERRORS, errors, processor, put
from tests.conformance.functions import wait_until

PREFIXES = "firehose/latest/dev/s3-prefixes.html"
TRANSFORM = "firehose/latest/dev/data-transformation-status-model.html"
PARTITIONS = "firehose/latest/dev/dynamic-partitioning.html"
HOUR = r"\d{4}/\d{2}/\d{2}/\d{2}/"


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


SPLIT = "firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html"
KIND = processor("MetadataExtraction", MetadataExtractionQuery="{kind: .kind}", JsonParsingEngine="JQ-1.6")
BY_KIND = "kind=!{partitionKeyFromQuery:kind}/"


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
