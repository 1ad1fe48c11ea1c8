"""What looks like a credential stands in no log and no report."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import redaction
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
        (r"{\"password\": \"hunter22 secret\"}", r"{\"password\": \"[redacted]\"}"),
        ('password="p@ss w0rd-very-long"', 'password="[redacted]"'),
        ('{"password":"a,b;c longsecret"}', '{"password":"[redacted]"}'),
        ('{"password": ["hunter22x"]}', '{"password": ["[redacted]"]}'),
        ("postgres://me:hunter2@host/db", "postgres://me:[redacted]@host/db"),
        ("DB_PASS=hunter2 x", "DB_PASS=[redacted] x"),
        ("pwd: hunter22", "pwd: [redacted]"),
        ("password=abc", "password=[redacted]"),
        ("Cookie: session=abcdef; x=1", "Cookie: [redacted]"),
        ("GET /b/k?X-Amz-Signature=0123abcd&x=1", "GET /b/k?X-Amz-Signature=[redacted]&x=1"),
        ("glpat-abcdefghij0123456789", "[redacted]"),
        ("Credentials(secret_key=abcdefg)", "Credentials(secret_key=[redacted])"),
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
        "no cookie: request 7de4c0b1 stored",
        '"cookie":null,"id":"7"',
        "records_pass=100, first-pass=done",
        "PWD=/var/task",
        "Basic authentication is required",
        "sk-learn-pipeline-version-1-2-3",
        "http://a.b:8080,me@x.com",
        "the password is wrong",
        "next_token=abcdef",
        "page_token: 1234567",
        "max_tokens=4096000",
        "sequence_token='49612345678'",
        '{"nextToken": "abc1234567"}',
        "Token: missing",
        "secret: required",
        "InvalidToken: Provided token is not valid",
        "stored s3://bucket/events/dt=2026-01-31/hour=09/a.ndjson",
    ],
)
def test_other_text_stays(text):
    assert redacted(text) == text


@pytest.mark.parametrize(
    "shape",
    [
        "-",
        ".",
        "a-b_",
        ".a",
        "token",
        "token ",
        "token=",
        'token="',
        "password: ",
        "eyJ",
        "eyJaaaaaaaa.",
        "-----BEGIN ",
        "secret_",
        "authorization:",
        '\\"',
    ],
)
def test_the_time_grows_as_the_text_does(shape):
    """A text sixteen times as long takes far less than the 256 times as long of a pattern that begins anew at each letter."""
    short, long = shape * (20_000 // len(shape)), shape * (320_000 // len(shape))

    def seconds(text):
        began = time.process_time()
        redacted(text)
        return time.process_time() - began

    assert seconds(long) < 100 * max(seconds(short), 0.002)


@given(st.text())
def test_twice_is_as_good_as_once(text):
    assert redacted(redacted(text)) == redacted(text)


_ASSIGNMENT = st.tuples(
    st.sampled_from(
        [
            "PassWd", "passphrase", "pwd", "db_pass", "secret", "credentials", "token", "next_token", "cookıe", "paſſword", "key", "http://me", "X-Amz-Signature",
            *(f"{which}{joint}Key" for which in ("api", "access", "private") for joint in ("", "_", "-")), "authorization", "Cookie",
        ]
    ),
    st.sampled_from(["=", ":", ': "', '": "', "s = '"]),
    st.sampled_from(["hunter22", "abcdefghijklmnopqr1", "a=hunter", "hunter2@host"]),
).map("".join)  # fmt: skip


@given(st.lists(_ASSIGNMENT, max_size=3).map(" ".join))
def test_a_pattern_that_is_left_out_would_have_found_nothing(text):
    everything = text
    for pattern, _ in redaction._PATTERNS:
        everything = pattern.sub(r"\1[redacted]", everything)
    assert redacted(text) == redaction._FORMS.sub("[redacted]", everything)
