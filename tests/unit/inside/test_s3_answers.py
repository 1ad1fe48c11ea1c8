"""The bodies of S3's answers: the same bytes as LocalStack's own, for whatever its shapes allow."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localstack.aws.protocol import serializer
from localstack.aws.protocol.serializer import ProtocolSerializerError, S3ResponseSerializer, create_serializer
from localstack.aws.spec import load_service

from harness.inside.patches import s3 as patches
from harness.inside.s3.answers import written_at_once
from tests.unit.inside.shapes import values

SERVICE = load_service("s3")
SERIALIZER = create_serializer(SERVICE)
OF_LOCALSTACK = S3ResponseSerializer._serialize_body_params
OURS = written_at_once(OF_LOCALSTACK)
OUTPUTS = {
    name: operation.output_shape
    for name in SERVICE.operation_names
    if (operation := SERVICE.operation_model(name)).output_shape is not None and not operation.has_event_stream_output
}


def bodies(serialize, name, params):
    operation = SERVICE.operation_model(name)
    return serialize(SERIALIZER, params, operation.output_shape, operation, "application/xml", "ID")


@settings(deadline=None)
@given(st.data())
def test_the_bytes_are_those_of_localstack(data):
    name = data.draw(st.sampled_from(sorted(OUTPUTS)))
    params = data.draw(values(OUTPUTS[name]))
    assert bodies(OURS, name, params) == bodies(OF_LOCALSTACK, name, params)


def test_a_time_that_is_text_is_read_once_and_to_the_same_time(monkeypatch):
    read = []
    parse = serializer.parse_to_aware_datetime
    monkeypatch.setattr(serializer, "parse_to_aware_datetime", lambda value: read.append(value) or parse(value))
    patches.timestamps.apply(serializer)
    noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    texts, others = (
        ["Thu, 01 Jan 2026 12:00:00 GMT", "2026-01-01T12:00:00Z"],
        [1767268800, noon, noon.astimezone(dt.timezone(dt.timedelta(hours=1)))],
    )
    for value in [*texts, *others] * 2:
        told = serializer.parse_to_aware_datetime(value)
        assert (told, told.utcoffset()) == (parse(value), parse(value).utcoffset())
        assert SERIALIZER._convert_timestamp_to_str(value, "rfc822") == "Thu, 01 Jan 2026 12:00:00 GMT"
    assert [value for value in read if isinstance(value, str)] == texts


CONTENTS = [
    {"Key": "a&b <c>", "Size": 1, "LastModified": dt.datetime(2026, 1, 1, 0, 0, 0, 5, dt.UTC), "ETag": '"1"'},
    {"Key": "\ud800", "Size": 0, "ChecksumAlgorithm": ["CRC32", None]},
    None,
    {},
]


def test_a_list_is_written_here(monkeypatch):
    monkeypatch.setattr(S3ResponseSerializer, "_node_to_string", None)
    body = bodies(OURS, "ListObjectsV2", {"Name": "b", "Contents": CONTENTS[:1], "KeyCount": 1, "IsTruncated": False, "Prefix": ""})
    assert b"<Key>a&amp;b &lt;c&gt;</Key>" in body
    assert b"<LastModified>2026-01-01T00:00:00.000Z</LastModified>" in body
    assert b"<Prefix />" in body


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["Key", "ETag", "StorageClass"]), st.sampled_from(["a", "b", "<", None]), max_size=3),
        max_size=4,
    )
)
def test_entries_that_are_alike_are_told_apart(contents):
    for params in ({"Contents": contents}, {"Contents": [*contents, {"Key": "a", "Size": 1}, {"Key": "a", "Size": 2}]}):
        assert bodies(OURS, "ListObjectsV2", params) == bodies(OF_LOCALSTACK, "ListObjectsV2", params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("ListObjectsV2", {"Contents": CONTENTS}),
        ("ListObjectsV2", {"Contents": CONTENTS, "NoSuchMember": 1}),
        ("ListObjectsV2", {}),
        ("GetBucketAcl", {"Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "1"}, "Permission": "READ"}]}),
        ("GetBucketTagging", {"TagSet": []}),
    ],
)
def test_what_is_not_written_here_is_written_by_localstack(name, params):
    assert bodies(OURS, name, params) == bodies(OF_LOCALSTACK, name, params)


def test_a_value_of_another_type_is_refused_as_before():
    with pytest.raises(ProtocolSerializerError, match="cannot be parsed"):
        bodies(OURS, "ListObjectsV2", {"Contents": 5})
