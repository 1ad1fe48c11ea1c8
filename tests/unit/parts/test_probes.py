"""Every probe on any input: nothing is dropped, nothing raises, and what identifies a record is found."""

from __future__ import annotations

import base64
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accounting.record import Observation, Outcome, payload_hash
from harness.parts.presets import PRESETS
from harness.parts.probes.alerts import Alerts
from harness.parts.probes.dynamodb import DynamoDb
from harness.parts.probes.failed_batches import FailedBatches
from harness.parts.probes.s3 import S3
from harness.parts.probes.sqs import Sqs
from harness.parts.reading import Reading
from tests.loads import PIPELINES, context
from tests.unit.parts.places import Bucket, Places, Queue, Table

BYTES = st.binary(max_size=80) | st.text('{}[]",:ab1\n\r;\0', max_size=80).map(str.encode)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.text(max_size=60) | JSON.map(json.dumps)
URL = "http://127.0.0.1:1/000000000000/queue"


def seen(probe, **services):
    return list(probe.open(context(Places(**services))))


def preset(system, name):
    return Reading.model_validate({"preset": f"{name}.yaml"}, context={"directory": PIPELINES / system})


@given(st.lists(BYTES, max_size=3), st.sampled_from(["ndjson", "csv", "json", "parquet", "whole"]), st.booleans())
def test_whatever_an_object_holds_the_s3_probe_reads_on_and_every_object_with_something_in_it_is_seen(bodies, form, zipped):
    suffix = ".gz" if zipped else ""
    objects = {f"{place}{suffix}": (gzip.compress(body) if zipped and place else body, {}) for place, body in enumerate(bodies)}
    found = seen(S3(bucket="b", format=form, id="id"), s3=Bucket(objects))
    assert all(isinstance(sighting, Observation) for sighting in found)
    if form in {"json", "parquet", "whole"}:
        expected = {f"s3://b/{key}" for key in objects}
        assert {sighting.place for sighting in found} == expected or form == "parquet"


@given(st.lists(BODIES, max_size=4), st.sampled_from(sorted(PRESETS)))
def test_whatever_a_message_holds_the_sqs_probe_sees_each_at_least_once(bodies, name):
    found = seen(Sqs(queue_url=URL, preset=name), sqs=Queue(bodies))
    assert len(found) >= len(bodies)


@given(st.lists(BODIES, max_size=4))
def test_whatever_a_message_holds_an_alert_names_records_or_nothing(bodies):
    names = (preset("delivery", "alert"), preset("files", "file_alert"), Reading(preset="lambda_destination_of_s3"))
    for sighting in seen(Alerts(queue_url=URL, names=names), sqs=Queue(bodies)):
        assert sighting.outcome is Outcome.ALERTED


def test_what_was_read_is_visible_again_to_people_and_alarms():
    queue = Queue(["{}"] * 23)
    assert len(seen(Alerts(queue_url=URL, names=(preset("delivery", "alert"),)), sqs=queue)) == 0
    assert sorted(message["MessageId"] for message in queue.left) == sorted(map(str, range(23)))


@given(st.lists(BODIES, max_size=4))
def test_a_message_that_names_no_range_is_a_dead_letter_without_an_identity(bodies):
    found = seen(FailedBatches(queue_url=URL), sqs=Queue(bodies), kinesis=None)
    assert [sighting.outcome for sighting in found] == [Outcome.DEAD_LETTERED] * len(bodies)
    assert not any(sighting.record_id or sighting.shard or sighting.payload_hash for sighting in found)


ATTRIBUTES = st.recursive(
    st.text(max_size=5).map(lambda s: {"S": s})
    | st.integers().map(lambda n: {"N": str(n)})
    | st.binary(max_size=5).map(lambda b: {"B": b})
    | st.just({"NULL": True})
    | st.booleans().map(lambda b: {"BOOL": b})
    | st.lists(st.binary(max_size=3), min_size=1, max_size=2).map(lambda b: {"BS": b}),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: {"L": items})
        | st.dictionaries(st.text(max_size=4), inner, max_size=2).map(lambda items: {"M": items})
    ),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.sampled_from(["id", "raw", "upload", "line", "x"]), ATTRIBUTES, max_size=4), max_size=3))
def test_whatever_an_item_holds_it_is_one_sighting(items):
    assert len(seen(DynamoDb(table="t", id="id"), dynamodb=Table(items))) == len(items)
    failed = DynamoDb.model_validate({"table": "t", "preset": "failed_row.yaml"}, context={"directory": PIPELINES / "files"})
    assert len(seen(failed, dynamodb=Table(items))) == len(items)


def test_the_formats_of_s3_find_the_same_record():
    row = {"order": {"id": 7}, "name": "é"}
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), table)
    bodies = {
        "ndjson": json.dumps(row).encode(),
        "json": json.dumps({"rows": [row]}).encode(),
        "parquet": table.getvalue(),
        "csv": "order,name\n7,é\n".encode(),
    }
    keys = {"ndjson": {}, "json": {"each": "rows"}, "parquet": {}, "csv": {"id": "order"}}
    for form, body in bodies.items():
        for name, content in (("o", body), ("o.gz", gzip.compress(body))):
            probe = S3.model_validate({"bucket": "b", "format": form, "id": "order.id", **keys[form]})
            (sighting,) = seen(probe, s3=Bucket({name: (content, {})}))
            assert (sighting.record_id, json.loads(sighting.content)["name"]) == ("7", "é"), form


def test_stored_names_are_mapped_to_promised_ones():
    probe = S3(bucket="b", id="id", fields={"amount": "total.value"})
    (sighting,) = seen(probe, s3=Bucket({"o": (b'{"id":"a","total":{"value":12.5}}', {})}))
    assert json.loads(sighting.content) == {"id": "a", "total": {"value": 12.5}, "amount": 12.5}


def test_only_the_keys_that_match_the_pattern_are_read():
    objects = {"out/2026/a.json": (b'{"id":1}', {}), "out/2026/a.tmp": (b'{"id":2}', {}), "in/b.json": (b'{"id":3}', {})}
    found = seen(S3(bucket="b", prefix="out/", pattern="*.json", id="id"), s3=Bucket(objects))
    assert [sighting.record_id for sighting in found] == ["1"]


def test_an_object_is_identified_by_what_stands_around_it():
    objects = {"error/x": (b"kept", {"upload": "in/x@v1"})}
    reading = {"bucket": "b", "prefix": "error/", "format": "whole", "outcome": "dead_lettered", "shard": "$object.metadata.upload"}
    (sighting,) = seen(S3(**reading), s3=Bucket(objects))
    assert (sighting.shard, sighting.sequence, sighting.payload_hash) == ("in/x@v1", None, None)
    (sighting,) = seen(S3(**reading, payload="$object.body"), s3=Bucket(objects))
    assert sighting.payload_hash == payload_hash(b"kept")


ENVELOPE = {"recordId": "a", "shardId": "s", "sequenceNumber": "5", "payload": base64.b64encode(b"raw").decode()}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"payload": None}, False),
        ({"payload": "not base64!"}, False),
        ({"payload": None, "payloadLocation": "s3://b/kept"}, True),
        ({"payload": None, "payloadLocation": "s3://b/gone"}, False),
        ({"payload": None, "payloadLocation": "nonsense"}, False),
    ],
)
def test_a_dead_letter_keeps_the_payload_or_names_the_object_that_has_it(change, kept):
    probe = Sqs.model_validate({"queue_url": URL, "preset": "dead_letter.yaml"}, context={"directory": PIPELINES / "delivery"})
    places = {"sqs": Queue([json.dumps({**ENVELOPE, **change})]), "s3": Bucket({"kept": (b"raw", {})})}
    (sighting,) = seen(probe, **places)
    assert sighting.outcome is Outcome.DEAD_LETTERED
    assert (sighting.record_id, sighting.payload_hash) == ("a", payload_hash(b"raw") if kept else None)


def test_the_shapes_that_aws_writes_are_read():
    event = {"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "in/a+b.csv", "versionId": "v1"}}}]}
    destination = json.dumps({"requestPayload": event, "responsePayload": {"errorType": "X"}})
    uploads = Bucket({"in/a b.csv": (b"all of it", {})})
    enveloped = json.dumps({"TopicArn": "arn", "Message": destination})
    for message in (destination, enveloped):
        probe = Alerts(queue_url=URL, names=(Reading(preset="lambda_destination_of_s3"),))
        (sighting,) = seen(probe, sqs=Queue([message]), s3=uploads)
        assert (sighting.shard, sighting.payload_hash) == ("in/a%20b.csv@v1", payload_hash(b"all of it"))
    (sighting,) = seen(probe, sqs=Queue([destination]), s3=Bucket({}))
    assert (sighting.shard, sighting.payload_hash) == ("in/a%20b.csv@v1", None), "the upload is gone"
    (sighting,) = seen(Sqs(queue_url=URL, preset="sqs_redrive"), sqs=Queue(["the message, byte for byte"]))
    assert sighting.payload_hash == payload_hash(b"the message, byte for byte")
    on_failure = {"payload": {"Records": [{"kinesis": {"sequenceNumber": "9", "data": base64.b64encode(b"x").decode()}}]}}
    probe = S3.model_validate({"bucket": "b", "format": "json", "preset": "lambda_stream_to_s3"})
    (sighting,) = seen(probe, s3=Bucket({"o": (json.dumps(on_failure).encode(), {})}))
    assert (sighting.outcome, sighting.payload_hash) == (Outcome.DEAD_LETTERED, payload_hash(b"x"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"id": "a b"}, "'a b' is not a JMESPath expression"),
        ({"preset": "nothing"}, "preset 'nothing' is none of"),
        ({"preset": "nowhere.yaml"}, "No such file"),
        ({"id": ()}, "at least one item"),
    ],
)
def test_a_reading_that_means_nothing_is_refused(keys, said):
    with pytest.raises(ValueError, match=said):
        S3.model_validate({"bucket": "b", **keys})


def test_an_upload_without_what_should_say_which_record_it_is_does_not_count_for_all_of_them():
    """A reading that names a payload or an id, and a message that has neither: three poison rows must not be alerted by it."""
    for keys in ({"payload": "raw"}, {"id": "id"}):
        names = (Reading(outcome="alerted", shard="s", **keys),)
        assert seen(Alerts(queue_url=URL, names=names), sqs=Queue(['{"s": "up@v"}'])) == []
    (sighting,) = seen(Alerts(queue_url=URL, names=(Reading(shard="s"),)), sqs=Queue(['{"s": "up@v"}']))
    assert sighting.shard == "up@v"


def test_a_mapped_name_that_is_not_there_is_missing_and_not_null():
    (sighting,) = seen(S3(bucket="b", id="id", fields={"b": "stored_b"}), s3=Bucket({"o": (b'{"id":"1"}', {})}))
    assert json.loads(sighting.content) == {"id": "1"}


def test_a_message_that_no_reading_is_about_is_no_phantom_of_an_alert():
    names = (preset("delivery", "alert"), Reading(id="recordId"))
    alarm = json.dumps({"AlarmName": "errors", "NewStateValue": "ALARM"})
    assert seen(Alerts(queue_url=URL, names=names), sqs=Queue([alarm])) == []


@pytest.mark.parametrize(
    ("function", "key", "upload"),
    [("upload", "in/a+b c%.json", "in/a%2Bb%20c%25.json@v"), ("notified_upload", "in/a%2Bb+c%25.json", "in/a%2Bb%20c%25.json@v")],
)
def test_an_upload_is_named_as_the_ledger_names_it_from_a_key_and_from_a_notification(function, key, upload):
    reading = Reading(outcome="alerted", shard=f"{function}(key, version)")
    (sighting,) = seen(Alerts(queue_url=URL, names=(reading,)), sqs=Queue([json.dumps({"key": key, "version": "v"})]))
    assert sighting.shard == upload


@pytest.mark.parametrize(
    ("form", "body", "rows"),
    [
        ("csv", b'id,text\n1,"a, ""b"""\n2,"two\nlines"\r\n', [b'1,"a, ""b"""', b'2,"two\nlines"']),
        # Rows that are no rows, in bytes that are no text, behind a byte order mark.
        ("csv", b"\xef\xbb\xbfid,text\n1\n2,\xff\n3,a,b\n", [b"1", b"2,\xff", b"3,a,b"]),
        ("ndjson", b"{bad\n\xff\n", [b"{bad", b"\xff"]),
        ("ndjson", b'{"id": "1"}\n{ "id":"2" }\n', [b'{"id": "1"}', b'{ "id":"2" }']),
    ],
)
def test_a_row_that_is_given_up_keeps_its_own_bytes(form, body, rows):
    probe = S3(bucket="b", format=form, outcome="dead_lettered", id="id", payload="$row")
    assert [s.payload_hash for s in seen(probe, s3=Bucket({"o": (body, {})}))] == [payload_hash(row) for row in rows]


@pytest.mark.parametrize(
    ("key", "body", "misplaced"),
    [
        ("events/hour=08/a", b'{"id":"1","hour":"08"}', None),
        ("events/hour=09/a", b'{"id":"1","hour":"08"}', "*/hour=08/*"),
        ("events/hour=08/a", b'{"id":"1"}', "'*/hour={{ hour }}/*' has no value here: 'hour' is undefined"),
    ],
)
def test_a_record_that_stands_elsewhere_than_it_must_is_seen_as_such(key, body, misplaced):
    (sighting,) = seen(S3(bucket="b", id="id", place="*/hour={{ hour }}/*"), s3=Bucket({key: (body, {})}))
    assert sighting.misplaced == misplaced


@pytest.mark.parametrize(
    ("body", "incomplete"),
    [
        (b'{"id": "1", "by": {"whom": "f"}, "attempts": 3, "why": "a\\nb"}', None),
        (b'{"id": "1", "attempts": 3, "why": "a"}', "by.whom is not there: expected .+"),
        (b'{"id": "1", "by": {"whom": ""}, "attempts": 3, "why": "a"}', "by.whom is '': expected .+"),
        (b'{"id": "1", "by": {"whom": "f"}, "attempts": 30, "why": "a"}', "attempts is '30': expected [1-9]"),
        (b'{"id": "1", "by": {"whom": "f"}, "attempts": 3, "why": null}', "why is not there: expected .*"),
    ],
)
def test_what_a_document_must_say_beside_its_record_is_looked_at(body, incomplete):
    requires = {"by.whom": ".+", "attempts": "[1-9]", "why": ".*"}
    (sighting,) = seen(S3(bucket="b", id="id", outcome="dead_lettered", requires=requires), s3=Bucket({"o": (body, {})}))
    assert sighting.incomplete == incomplete


def test_a_requirement_that_is_no_regular_expression_is_refused():
    with pytest.raises(ValueError, match="is not a regular expression"):
        S3(bucket="b", requires={"a": "("})


def test_the_fields_of_what_is_given_up_are_kept_for_the_checks():
    bucket = Bucket({"o": (b'{"id": "1", "place": {"offset": 7}, "more": 1}', {})})
    (sighting,) = seen(S3(bucket="b", id="id", outcome="dead_lettered", fields={"offset": "place.offset"}), s3=bucket)
    assert sighting.content == b'{"offset":7}'


def test_a_place_that_is_no_template_is_refused():
    with pytest.raises(ValueError, match="is not an expression"):
        S3(bucket="b", place="*/{{ hour /*")


def test_a_byte_order_mark_is_no_part_of_the_first_columns_name():
    (sighting,) = seen(S3(bucket="b", format="csv", id="id"), s3=Bucket({"o": (b"\xef\xbb\xbfid,text\n1,x\n", {})}))
    assert sighting.record_id == "1"


@pytest.mark.parametrize("key", ["dt=2026-01-31/a b+c.csv", "plain", "50%25 off"])
@pytest.mark.parametrize("version", [None, "v1"])
def test_a_location_leads_to_its_object_whatever_its_key_is(key, version):
    probe = Sqs(queue_url=URL, outcome="dead_lettered", id="id", payload_location="location('b', key, version)")
    message = json.dumps({"id": "1", "key": key, "version": version})
    (sighting,) = seen(probe, sqs=Queue([message]), s3=Bucket({key: (b"kept", {})}))
    assert sighting.payload_hash == payload_hash(b"kept")


def test_a_time_beyond_all_calendars_is_no_time():
    probe = S3(bucket="b", id="id", time="at")
    (sighting,) = seen(probe, s3=Bucket({"o": (b'{"id":"1","at":1e30}', {})}))
    assert sighting.seen_at_ms is None


def test_an_object_that_unpacks_to_gigabytes_is_seen_and_not_unpacked(monkeypatch):
    monkeypatch.setattr("harness.parts.probes.s3._MOST_UNPACKED", 1000)
    objects = {"bomb.gz": (gzip.compress(b'{"id": "1"}' + b" " * 5000), {}), "good.gz": (gzip.compress(b'{"id": "2"}\n'), {})}
    found = {sighting.place: sighting.record_id for sighting in seen(S3(bucket="b", id="id"), s3=Bucket(objects))}
    assert found == {"s3://b/bomb.gz": None, "s3://b/good.gz": "2"}


def _packed_parquet(value, rows):
    """One value, which is written once, in all the rows."""
    file = io.BytesIO()
    pq.write_table(pa.table({"id": ["1"] * rows, "v": [value] * rows}), file, compression="zstd")
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("parquet", _packed_parquet("x" * 10_000, 200)),
        ("json", b"[" + b"[]," * 10_000_000 + b"[]]"),
        ("ndjson", b"[" + b"[]," * 10_000_000 + b"[]]\n"),
        ("csv", b"id\n" + b"x" * (10 << 20) + b"xx\n"),
    ],
    ids=["parquet", "json", "ndjson", "csv"],
)
def test_what_would_take_gigabytes_of_memory_is_seen_as_no_record(monkeypatch, form, body):
    monkeypatch.setattr("harness.parts.probes.s3._MOST_ROWS", 1_000_000)
    found = seen(S3(bucket="b", format=form, id="id"), s3=Bucket({"bomb": (body, {})}))
    assert [sighting.record_id for sighting in found if sighting.record_id is None] == [None]
    assert len(found) < 200


def test_lines_that_are_empty_take_no_time():
    assert seen(S3(bucket="b", id="id"), s3=Bucket({"blank": (b"\n" * 20_000_000 + b'{"id": "1"}', {})}))[0].record_id == "1"
