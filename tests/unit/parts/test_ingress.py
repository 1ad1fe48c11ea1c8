"""Each way in: what it sends, what it makes of each answer, junk included, and where it refuses to send at all."""

from __future__ import annotations

import json

import pytest

from harness.accounting.record import Record, Status
from harness.emulator.clients import Clients
from harness.errors import UsageError
from harness.parts.ingress.api import Api
from harness.parts.ingress.dynamodb import DynamoDb, typed
from harness.parts.ingress.eventbridge import EventBridge
from harness.parts.ingress.firehose import Firehose
from harness.parts.ingress.kinesis import Kinesis
from harness.parts.ingress.s3 import S3
from harness.parts.ingress.sns import Sns
from harness.parts.ingress.sqs import Sqs
from harness.parts.units import File
from harness.parts.urls import local_url
from tests.loads import context
from tests.unit.parts.places import Places

JUNK = [b"", b"\xff\xfe", b"null", b"[1]", b'"text"', b'{"a":1}', b"{", b"\0"]


class Service:
    """Answers every call with `answer`, and keeps what it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.calls = []

    def __getattr__(self, _name):
        def call(**request):
            self.calls.append(request)
            return self.answer(request) if callable(self.answer) else self.answer

        return call


def junk():
    return [Record(f"id-{number}", payload, None, "junk") for number, payload in enumerate(JUNK)]


def acked_messages(request):
    entries = request.get("Entries") or request["PublishBatchRequestEntries"]
    return {"Successful": [{"Id": entry["Id"], "MessageId": "m"} for entry in entries]}


WAYS = [
    (Kinesis(stream="s"), "kinesis", lambda r: {"Records": [{"ShardId": "s", "SequenceNumber": "1"}] * len(r["Records"])}),
    (Sqs(queue_url="http://q/q"), "sqs", acked_messages),
    (Sqs(queue_url="http://q/q.fifo"), "sqs", acked_messages),
    (Sns(topic_arn="arn:t"), "sns", acked_messages),
    (EventBridge(source="s", detail_type="t"), "events", lambda r: {"Entries": [{"EventId": "e"}] * len(r["Entries"])}),
    (Firehose(delivery_stream="d"), "firehose", lambda r: {"RequestResponses": [{"RecordId": "r"}] * len(r["Records"])}),
]


@pytest.mark.parametrize(("ingress", "service", "answer"), WAYS, ids=lambda value: getattr(value, "to", None) or str(value)[:9])
def test_junk_is_handed_over_and_each_record_has_its_answer(ingress, service, answer, tmp_path):
    client = Service(answer)
    sender = ingress.open(context(Places(**{service: client}), tmp_path))
    answered = list(sender.send(junk()))
    sender.close()
    assert [record for record, _ in answered] == junk()
    for record, told in answered:
        is_text = record.payload.decode(errors="replace").encode() == record.payload
        assert told.status is (Status.ACKED if is_text or service not in {"sqs", "sns"} else Status.REJECTED), record
        assert told.about_record
    assert len(client.calls) >= 1


@pytest.mark.parametrize(("ingress", "service"), [(Sqs(queue_url="http://q/q"), "sqs"), (Sns(topic_arn="arn:t"), "sns")])
def test_an_entry_that_is_the_senders_fault_is_rejected_at_once(ingress, service, tmp_path):
    client = Service({"Failed": [{"Id": "0", "Code": "InvalidMessageContents", "Message": "m", "SenderFault": True}]})
    ((_, answer),) = ingress.open(context(Places(**{service: client}), tmp_path)).send(junk()[:1])
    assert (answer.status, len(client.calls)) == (Status.REJECTED, 1)
    assert "InvalidMessageContents" in answer.detail


def test_a_fifo_queue_gets_the_partition_key_as_group_and_the_id_against_duplicates(tmp_path):
    client = Service(acked_messages)
    list(Sqs(queue_url="http://q/q.fifo").open(context(Places(sqs=client), tmp_path)).send([Record("id", b"x", None, None, "k")]))
    ((entry,),) = [call["Entries"] for call in client.calls]
    assert (entry["MessageGroupId"], entry["MessageDeduplicationId"]) == ("k", "id")


def test_what_is_no_item_is_rejected_before_dynamodb_and_an_item_has_its_types(tmp_path):
    client = Service({})
    answered = list(DynamoDb(table="t").open(context(Places(dynamodb=client), tmp_path)).send(junk()))
    assert [payload for payload, (_, answer) in zip(JUNK, answered, strict=True) if answer.status is Status.ACKED] == [b'{"a":1}']
    assert typed({"a": [1, "x", None, True]}) == {"M": {"a": {"L": [{"N": "1"}, {"S": "x"}, {"NULL": True}, {"BOOL": True}]}}}


def test_s3_takes_files_whole_and_single_records_as_objects(tmp_path):
    bodies = {}

    def put(request):
        bodies[request["Key"]] = request["Body"].read()
        return {"VersionId": "v", "ETag": '"e"'}

    rows = [Record("a", b"1", None), Record("b", b"2", None)]
    units = [File("in/f +1.csv", lambda: iter(rows), b"head\n"), Record("c", b"3", None)]
    answered = list(S3(bucket="b", key="one/{record_id}").open(context(Places(s3=Service(put)), tmp_path)).send(units))
    assert bodies == {"in/f +1.csv": b"head\n1\n2\n", "one/c": b"3"}
    assert [(record.record_id, answer.shard, answer.sequence) for record, answer in answered] == [
        ("a", "in/f%20%2B1.csv@v", "2"), ("b", "in/f%20%2B1.csv@v", "3"), ("c", "one/c@v", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4566/x", "http://127.0.0.1:4566/x"),
        ("http://localhost/x", "http://localhost/x"),
        ("https://abc123.execute-api.us-east-1.amazonaws.com/v1/events", "http://127.0.0.1:1/_aws/execute-api/abc123/v1/events"),
        ("https://abc123.execute-api.127.0.0.1:4566/v1/events", "http://127.0.0.1:1/_aws/execute-api/abc123/v1/events"),
        ("http://abc123.execute-api.localhost.localstack.cloud:4566", "http://127.0.0.1:1/_aws/execute-api/abc123"),
    ],
)
def test_a_url_of_this_machine_is_kept_and_one_of_api_gateway_is_the_emulators(url, expected):
    assert local_url(url, context(), "send.url") == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/x",
        "http://abc123.execute-api.example.com/x",
        "http://169.254.169.254/x",
        "ftp://127.0.0.1/x",
        "events",
        "",
    ],
)
def test_nothing_is_sent_to_another_machine_unless_that_is_allowed(url):
    with pytest.raises(UsageError, match=r"--allow-remote|is not a URL"):
        Api(url=url).open(context())
    if url.startswith("http"):
        assert local_url(url, context(allow_remote=True), "send.url") == url


def test_path_headers_key_and_signature_are_those_of_the_record():
    part = Api(
        url="http://127.0.0.1:1", path="/customers/{customer.id}/{missing}", headers={"X-Id": "{record_id}", "X-Name": "{name}"},
        api_key="key", sign=True,
    )  # fmt: skip
    sender = part.open(context(Clients("http://127.0.0.1:1")))
    payload = json.dumps({"customer": {"id": "a/b"}, "name": "é\r\nX-Evil: 1"}).encode()
    url, headers = sender._addressed(Record("id-1", payload, None))
    assert url == "http://127.0.0.1:1/customers/a%2Fb/"
    assert (headers["X-Id"], headers["x-api-key"]) == ("id-1", "key")
    assert "\n" not in headers["X-Name"]
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=000000000000/")
    for record in junk():
        assert sender._addressed(record)[0] == "http://127.0.0.1:1/customers//"
    sender.close()


def test_the_second_object_under_a_key_without_versions_does_not_share_the_firsts_upload(tmp_path):
    sender = S3(bucket="b").open(context(Places(s3=Service({"ETag": '"e"'})), tmp_path))
    twice = [Record("a", b"1", b"{}"), Record("a", b"1", b"{}")]
    assert [answer.shard for _, answer in sender.send(twice)] == ["input/a", None]
    with pytest.raises(ValueError, match="key"):
        S3(bucket="b", key="always/the-same")


def test_an_expression_that_means_nothing_is_refused_and_one_that_a_record_does_not_fit_is_empty():
    with pytest.raises(ValueError, match=r"path: \{a b\} is not JMESPath"):
        Api(url="http://127.0.0.1:1", path="/{a b}")
    sender = Api(url="http://127.0.0.1:1", path="/{length(x)}").open(context(Clients("http://127.0.0.1:1")))
    assert sender._addressed(Record("id", b"{}", None))[0] == "http://127.0.0.1:1/"
    sender.close()


def test_a_file_that_replaces_another_is_not_named_by_its_key():
    """Without versions what names the upload is one of the two files."""
    sender = S3(bucket="b").open(context(Places(s3=Service({"ETag": '"e"'}))))
    files = [File("up.csv", lambda: iter([Record("1", b"1", b"{}")]), head=b"id\n") for _ in range(2)]
    assert [answer.shard for _, answer in sender.send(files)] == ["up.csv", None]
