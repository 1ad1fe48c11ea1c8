"""S3: listings of more than one page, keys in events, and how long a presigned URL is good for."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_plus

import pytest
import urllib3

from tests.conformance.functions import wait_until

EVENT = "AmazonS3/latest/userguide/notification-content-structure.html"
PRESIGNED = "AmazonS3/latest/userguide/using-presigned-url.html"
V2 = "AmazonS3/latest/API/API_ListObjectsV2.html"
KEYS = sorted(
    ["a b/1", "a+b/1", "dt=1/hour=00/x", "dt=1/hour=01/x", "dt=2/hour=00/x", "plain", "per%cent", "umlaut-ä", "z=1"],
    key=lambda key: key.encode(),
)


@pytest.fixture
def bucket(clients):
    name = f"listed-{clients.account}"
    clients("s3").create_bucket(Bucket=name)
    for key in KEYS:
        clients("s3").put_object(Bucket=name, Key=key, Body=b"x")
    return name


def listed(clients, operation, bucket, of="Contents", member="Key", size=2, **options):
    pages = clients("s3").get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": size}, **options)
    return [one[member] for page in pages for one in page.get(of, ())]


@pytest.mark.rule(V2)
@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_all_pages_have_all_keys(clients, bucket, size):
    """A listing in pages has every key once, in the order of their bytes, whatever characters they have."""
    assert listed(clients, "list_objects_v2", bucket, size=size) == KEYS


@pytest.mark.rule("AmazonS3/latest/API/API_ListObjects.html")
def test_markers_of_the_first_version(clients, bucket):
    """ListObjects goes on behind its Marker."""
    assert listed(clients, "list_objects", bucket) == KEYS


@pytest.mark.rule("AmazonS3/latest/API/API_ListObjectVersions.html")
def test_versions_in_pages(clients, bucket):
    """ListObjectVersions in pages has every version."""
    clients("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in KEYS:
        clients("s3").put_object(Bucket=bucket, Key=key, Body=b"y")
    assert listed(clients, "list_object_versions", bucket, of="Versions") == [key for key in KEYS for _ in range(2)]


@pytest.mark.rule(V2)
def test_a_prefix_in_pages(clients, bucket):
    """A listing below a prefix in pages has every key below it."""
    assert listed(clients, "list_objects_v2", bucket, size=1, Prefix="dt=1/") == [key for key in KEYS if key.startswith("dt=1/")]


@pytest.mark.rule(V2)
def test_start_after(clients, bucket):
    """StartAfter begins with the key behind the given one."""
    assert listed(clients, "list_objects_v2", bucket, StartAfter="dt=1/hour=01/x") == KEYS[KEYS.index("dt=1/hour=01/x") + 1 :]


@pytest.mark.rule(V2)
def test_common_prefixes_in_pages(clients, bucket):
    """With a delimiter the keys below it are rolled up into common prefixes, each once over all pages."""
    prefixes = listed(clients, "list_objects_v2", bucket, of="CommonPrefixes", member="Prefix", size=1, Delimiter="/")
    assert prefixes == ["a b/", "a+b/", "dt=1/", "dt=2/"]


@pytest.mark.rule(V2)
def test_a_thousand_keys_are_a_page(clients):
    """A page has a thousand keys; the token leads to the others."""
    bucket = f"many-{clients.account}"
    clients("s3").create_bucket(Bucket=bucket)
    keys = [f"events/dt=2026-01-0{day}/{number:04d}" for day in (1, 2) for number in range(510)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: clients("s3").put_object(Bucket=bucket, Key=key, Body=b"x"), keys))
    first = clients("s3").list_objects_v2(Bucket=bucket)
    assert (first["KeyCount"], first["IsTruncated"]) == (1000, True)
    assert listed(clients, "list_objects_v2", bucket, size=1000) == keys


@pytest.fixture
def queue(clients):
    """A queue, its ARN, and what it has received so far."""
    url = clients("sqs").create_queue(QueueName="events")["QueueUrl"]

    found = {}

    def received():
        messages = clients("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        # Events come one after the other: what an earlier look has received is invisible to a later one.
        found.update({one["MessageId"]: json.loads(one["Body"]) for one in messages if "s3:TestEvent" not in one["Body"]})
        return list(found.values())

    received.arn = f"arn:aws:sqs:us-east-1:{clients.account}:events"
    received.url = url
    return received


def own_bucket(clients):
    name = f"own-{clients.account}"
    clients("s3").create_bucket(Bucket=name)
    return name


@pytest.mark.rule(EVENT)
@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("red flower.jpg", "red+flower.jpg"),
        ("a+b", "a%2Bb"),
        ("dt=1/x", "dt%3D1/x"),
        ("ä", "%C3%A4"),
        ("per%cent", "per%25cent"),
        ("a-b_c.d*e~f", None),
    ],
)
def test_keys_in_events_are_url_encoded(clients, queue, key, told):
    """The object's key in a notification is URL-encoded; a blank is +."""
    bucket = own_bucket(clients)
    configuration = {"QueueConfigurations": [{"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}]}
    clients("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    clients("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    event = wait_until(queue, "the event", 30)[0]["Records"][0]["s3"]["object"]["key"]
    if told is not None:
        assert event == told
    assert unquote_plus(event) == key


@pytest.mark.rule("AmazonS3/latest/userguide/ev-events.html")
@pytest.mark.parametrize("key", ["red flower.jpg", "a+b", "dt=1/x", "ä"])
def test_keys_at_eventbridge_are_as_they_are(clients, queue, key):
    """The object's key in an event of EventBridge is not encoded."""
    bucket = own_bucket(clients)
    clients("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    pattern = json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}})
    clients("events").put_rule(Name="objects", EventPattern=pattern)
    clients("events").put_targets(Rule="objects", Targets=[{"Id": "queue", "Arn": queue.arn}])
    clients("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    event = wait_until(queue, "the event", 30)[0]
    assert (event["detail-type"], event["detail"]["object"]["key"]) == ("Object Created", key)


@pytest.mark.rule("AmazonS3/latest/userguide/ev-events.html")
def test_the_reason_of_an_event(clients, queue):
    """The reason of Object Created is the operation: PutObject, CopyObject or CompleteMultipartUpload."""
    s3, bucket = clients("s3"), own_bucket(clients)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    clients("events").put_rule(
        Name="objects", EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}})
    )
    clients("events").put_targets(Rule="objects", Targets=[{"Id": "queue", "Arn": queue.arn}])
    s3.put_object(Bucket=bucket, Key="put", Body=b"x")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "put"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    told = wait_until(lambda: len(found := queue()) == 3 and found, "three events", 30)
    reasons = {event["detail"]["object"]["key"]: event["detail"]["reason"] for event in told}
    assert reasons == {"put": "PutObject", "copy": "CopyObject", "parts": "CompleteMultipartUpload"}


@pytest.mark.rule("AmazonS3/latest/userguide/notification-how-to-filtering.html")
def test_a_filter_of_keys(clients, queue):
    """A prefix and a suffix choose the objects that are told of."""
    bucket = own_bucket(clients)
    rules = [{"Name": "prefix", "Value": "in/"}, {"Name": "suffix", "Value": ".csv"}]
    chosen = {"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": rules}}}
    clients("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [chosen]})
    for key in ("in/a.txt", "out/a.csv", "in/a.csv"):
        clients("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    keys = [record["s3"]["object"]["key"] for event in wait_until(queue, "the event", 30) for record in event["Records"]]
    assert keys == ["in/a.csv"]


@pytest.mark.rule(EVENT)
def test_a_removed_object_is_told_of(clients, queue):
    """ObjectRemoved:Delete names the key; without a size."""
    bucket = own_bucket(clients)
    configuration = {"QueueConfigurations": [{"QueueArn": queue.arn, "Events": ["s3:ObjectRemoved:*"]}]}
    clients("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    clients("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    clients("s3").delete_object(Bucket=bucket, Key="a")
    record = wait_until(queue, "the event", 30)[0]["Records"][0]
    assert (record["eventName"], record["s3"]["object"]["key"]) == ("ObjectRemoved:Delete", "a")
    assert "size" not in record["s3"]["object"]


@pytest.mark.rule(PRESIGNED)
@pytest.mark.parametrize("method", ["get_object", "put_object"])
def test_a_presigned_url_expires(clients, method):
    """A presigned URL is refused with AccessDenied after its time."""
    bucket = own_bucket(clients)
    clients("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    verb, body = ("GET", None) if method == "get_object" else ("PUT", b"y")

    def url(seconds):
        return clients("s3").generate_presigned_url(method, Params={"Bucket": bucket, "Key": "a"}, ExpiresIn=seconds)

    def ask(url):
        return urllib3.request(verb, url, body=body, retries=False)

    assert ask(url(600)).status == 200
    short = url(1)
    answer = wait_until(lambda: (answer := ask(short)).status != 200 and answer, "the URL to expire", 20)
    assert answer.status == 403
    assert b"<Code>AccessDenied</Code>" in answer.data
    assert b"Request has expired" in answer.data


@pytest.mark.rule("AmazonS3/latest/userguide/conditional-writes.html")
def test_a_conditional_write(clients):
    """If-None-Match: * writes only where there is no object of the key; the other answer is 412."""
    bucket = own_bucket(clients)
    clients("s3").put_object(Bucket=bucket, Key="a", Body=b"x", IfNoneMatch="*")
    with pytest.raises(clients("s3").exceptions.ClientError) as error:
        clients("s3").put_object(Bucket=bucket, Key="a", Body=b"y", IfNoneMatch="*")
    assert error.value.response["Error"]["Code"] == "PreconditionFailed"


@pytest.mark.rule("AmazonS3/latest/API/API_CompleteMultipartUpload.html")
def test_parts_of_a_multipart_upload_have_a_least_size(clients):
    """Each part but the last has at least 5 MB: EntityTooSmall."""
    bucket, s3 = own_bucket(clients), clients("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=n, Body=b"x")["ETag"]}
        for n in (1, 2)
    ]
    with pytest.raises(s3.exceptions.ClientError) as error:
        s3.complete_multipart_upload(Bucket=bucket, Key="a", UploadId=upload, MultipartUpload={"Parts": parts})
    assert error.value.response["Error"]["Code"] == "EntityTooSmall"


@pytest.mark.rule("AmazonS3/latest/API/API_GetObject.html")
def test_a_range(clients):
    """Range returns these bytes, with 206; one behind the end is InvalidRange."""
    bucket, s3 = own_bucket(clients), clients("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    answer = s3.get_object(Bucket=bucket, Key="a", Range="bytes=2-4")
    assert (answer["Body"].read(), answer["ContentRange"]) == (b"234", "bytes 2-4/10")
    with pytest.raises(s3.exceptions.ClientError) as error:
        s3.get_object(Bucket=bucket, Key="a", Range="bytes=20-30")
    assert error.value.response["Error"]["Code"] == "InvalidRange"


@pytest.mark.rule(EVENT)
def test_a_later_event_of_a_key_has_a_greater_sequencer(clients, queue):
    """The sequencers of the events of one key tell their order: the later one is the greater text."""
    bucket = own_bucket(clients)
    configuration = {
        "QueueConfigurations": [{"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}],
    }
    clients("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    for number in range(3):
        clients("s3").put_object(Bucket=bucket, Key="a", Body=b"x" * number)
    clients("s3").delete_object(Bucket=bucket, Key="a")
    seen = []

    def all_four():
        seen[:] = [record for event in queue() for record in event["Records"]]
        return len(seen) == 4

    wait_until(all_four, "four events", 30)
    in_order = sorted(seen, key=lambda record: record["s3"]["object"]["sequencer"])
    assert len({record["s3"]["object"]["sequencer"] for record in seen}) == 4
    assert [record["s3"]["object"].get("size") for record in in_order] == [0, 1, 2, None]


@pytest.mark.rule("AmazonS3/latest/userguide/notification-how-to-filtering.html")
@pytest.mark.parametrize(
    ("one", "other", "is_taken"),
    [
        ({"prefix": "in/"}, {"prefix": "in/more/"}, False),
        ({"suffix": ".csv"}, {}, False),
        ({"prefix": "in/", "suffix": ".csv"}, {"prefix": "in/", "suffix": ".json"}, True),
        ({"prefix": "in/"}, {"prefix": "out/"}, True),
        ({"prefix": "in/", "suffix": ".gz"}, {"prefix": "in/", "suffix": "csv.gz"}, False),
    ],
    ids=["prefix of a prefix", "all", "other suffixes", "other prefixes", "suffix of a suffix"],
)
def test_filters_do_not_overlap(clients, queue, one, other, is_taken):
    """Two configurations for one type of event may not overlap in prefix and suffix."""
    bucket = own_bucket(clients)
    configurations = [
        {
            "QueueArn": queue.arn,
            "Events": [event],
            "Filter": {"Key": {"FilterRules": [{"Name": name, "Value": value} for name, value in rules.items()]}},
        }
        for event, rules in (("s3:ObjectCreated:*", one), ("s3:ObjectCreated:Put", other))
    ]
    put = clients("s3").put_bucket_notification_configuration
    if is_taken:
        put(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": configurations})
        return
    with pytest.raises(clients("s3").exceptions.ClientError, match="ambiguously defined"):
        put(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": configurations})
    configurations[1]["Events"] = ["s3:ObjectRemoved:*"]
    put(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": configurations})
