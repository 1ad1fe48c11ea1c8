"""What looks like a credential stands in no log and no report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.redaction import redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "AWS_SECRET_ACCESS_KEY=[redacted]"),
        ('{"password": "hunter2hunter2", "user": "me"}', '{"password": "[redacted]", "user": "me"}'),
        ("{'api_key': 'abcdef123456'}", "{'api_key': '[redacted]'}"),
        ("key AKIAIOSFODNN7EXAMPLE is used", "key [redacted] is used"),
        ("Authorization: Bearer abcdefghijklmnop", "Authorization: [redacted]"),
        ("sent Bearer abcdefghijklmnopqrst", "sent Bearer [redacted]"),
        ("jwt eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.abc_DEF", "jwt [redacted]"),
        ("ghp_" + "a1" * 18, "[redacted]"),
        ("x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- y", "x [redacted] y"),
        ("https://h/?token=abcdef123&x=1", "https://h/?token=[redacted]&x=1"),
        ("client-secret: s3cr3tvalue", "client-secret: [redacted]"),
    ],
)
def test_credentials_are_hidden(text, expected):
    assert redacted(text) == expected
    assert redacted(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "RequestId: 0b89584f-b002-570d-6be1-030df5065d9d Error: Task timed out",
        "eventId 00000000000000000000000000000001 lost",
        "ContinuationToken=",
        "tokens: 5",
        "the password is wrong",
        "stored s3://bucket/events/dt=2026-01-31/hour=09/a.ndjson",
    ],
)
def test_other_text_stays(text):
    assert redacted(text) == text


@given(st.text())
def test_twice_is_as_good_as_once(text):
    assert redacted(redacted(text)) == redacted(text)
