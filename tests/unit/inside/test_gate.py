"""Who may ask an emulator."""

import hashlib

import pytest
from werkzeug.datastructures import Headers

from harness.emulator import tokens
from harness.inside import gate
from harness.inside.gate import Gate, needs_signature

TOKEN = "a token"
GATE = Gate("127.0.0.1", frozenset({"http://localhost:3000"}), hashlib.sha256(TOKEN.encode()).hexdigest())


def refusal(method="GET", path="/", host="127.0.0.1:4566", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return GATE.refusal(method, path, Headers({"Host": host, **named}))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4566", "127.0.0.1", "localhost:4566", "LOCALHOST", "[::1]:4566", "127.1.2.3:80", "bucket.s3.localhost.localstack.cloud:4566",
        "abc.execute-api.localhost.localstack.cloud", "bucket.localhost", "localhost.:4566", "id.lambda-url.us-east-1.127.0.0.1:4566",
    ],
)  # fmt: skip
def test_the_emulators_own_names_may_be_asked_for(host):
    assert refusal(host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:4566", "127.0.0.1.evil.example", "localhost.evil.example", "evillocalhost", "10.0.0.1", "0.0.0.0:4566",
        "2130706433", "", "[::1", "localhost@evil.example", "127.0.0.1:4566.evil.example", "evil.example#.localhost", "evil.example/.localhost",
    ],
)  # fmt: skip
def test_other_names_may_not(host):
    assert "Host" in refusal(host=host)


def test_two_hosts_or_none_are_refused():
    assert "Host" in GATE.refusal("GET", "/", Headers([("Host", "localhost"), ("Host", "evil.example")]))
    assert "Host" in GATE.refusal("GET", "/", Headers())


def test_the_name_that_the_emulator_was_given_may_be_asked_for():
    named = Gate("pipeproof", frozenset(), "")
    assert named.refusal("GET", "/", Headers({"Host": "pipeproof:4566"})) is None
    assert named.refusal("GET", "/", Headers({"Host": "bucket.pipeproof:4566"})) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "file://"},
        {"Origin": "https://app.localstack.cloud"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://localhost:3000.evil.example"},
        {"Referer": "http://evil.example/page"},
        {"Referer": "http://127.0.0.1:8000/page"},
        {"Referer": "http://[oops"},
        {"Referer": ""},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
        {"Origin": "http://127.0.0.1:4566", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://127.0.0.1:4566", "Referer": "http://evil.example/"},
    ],
)
def test_pages_of_other_origins_are_refused(headers):
    assert "--allow-origin" in refusal(**headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:4566", "Sec_Fetch_Site": "same-origin"},
        {"Referer": "http://127.0.0.1:4566/page"},
        {"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"},
        {"Origin": "http://localhost:3000", "Sec_Fetch_Site": "cross-site"},
        {"Referer": "http://localhost:3000/page", "Sec_Fetch_Site": "cross-site"},
        {},
    ],
)
def test_its_own_pages_and_those_that_are_let_in_may_ask(headers):
    assert refusal(**headers) is None


@pytest.mark.parametrize(
    "path",
    [
        "/_pipeproof/faults",
        "//_pipeproof/faults",
        "/_localstack/health/",
        "/_localstack/config",
        "/_localstack",
        "/_localstack/../x",
    ],
)
def test_control_routes_need_the_token(path):
    assert "token" in refusal(path=path)
    assert "token" in refusal(path=path, X_Pipeproof_Token="another one")
    assert refusal(path=path, X_Pipeproof_Token=TOKEN) is None


def test_without_a_token_the_control_routes_are_closed():
    closed = Gate("127.0.0.1", frozenset(), "")
    for given in ({}, {tokens.HEADER: ""}):
        assert "token" in closed.refusal("GET", "/_pipeproof/faults", Headers({"Host": "localhost", **given}))


def test_health_can_be_seen_but_not_changed():
    assert refusal(path="/_localstack/health") is None
    assert "token" in refusal("POST", "/_localstack/health")


def test_a_link_may_not_change_anything_but_what_aws_lets_links_do():
    assert needs_signature("cloudformation", "CreateStack")
    assert needs_signature("sns", "Publish")
    assert needs_signature("sqs", "DeleteQueue")
    assert needs_signature("sts", "AssumeRole")
    assert not needs_signature("sns", "Unsubscribe")
    assert not needs_signature("sqs", "SendMessage")
    assert not needs_signature("cloudformation", "DescribeStacks")


def test_both_sides_mean_the_same_header():
    assert gate.TOKEN_HEADER == tokens.HEADER


def test_names_that_sdks_make_of_the_emulators_own_may_be_asked_for():
    assert refusal(host="sync-localhost.localstack.cloud:4566") is None
    assert "Host" in refusal(host="evil-localhost.localstack.cloud:4566")


@pytest.mark.parametrize(
    "headers", [{"Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "empty"}, {"Sec_Fetch_Dest": "image"}, {"sec_fetch_user": "?1"}]
)
def test_a_browser_that_does_not_say_for_whom_it_asks_is_refused(headers):
    assert "Sec-Fetch" in refusal(**headers)


def test_nodes_fetch_is_no_browser():
    assert refusal(method="POST", path="/_aws/execute-api/id/stage/x", Sec_Fetch_Mode="cors", User_Agent="node") is None


def test_of_two_headers_none_is_overlooked():
    for name, good, bad in (
        ("Sec-Fetch-Site", "none", "cross-site"), ("Origin", "http://localhost:4566", "http://evil.example"),
    ):  # fmt: skip
        both = Headers([("Host", "localhost:4566"), (name, good), (name, bad)])
        assert bad in GATE.refusal("GET", "/", both)


@pytest.mark.parametrize(
    ("method", "path", "passes"),
    [
        ("GET", "/_aws/ses", True), ("GET", "/_aws/sqs/messages", True), ("GET", "/_aws/execute-api/id/stage/x", True),
        ("POST", "/_aws/execute-api/id/stage/x", True), ("DELETE", "/_aws/ses", False), ("GET", "/_aws/lambda/init", False),
        ("GET", "//_aws/cloudwatch/metrics/raw", False), ("GET", "/_aws", False),
    ],
)  # fmt: skip
def test_of_localstacks_own_routes_only_what_was_sent_is_open(method, path, passes):
    assert (refusal(method, path) is None) == passes
