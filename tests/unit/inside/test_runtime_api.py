"""The Lambda Runtime API over HTTP, as a runtime speaks it."""

from __future__ import annotations

import threading

import pytest
import urllib3

from harness.inside.lambda_.errors import MAX_PAYLOAD_BYTES
from harness.inside.lambda_.runtime_api import Invocation, RuntimeApi

INVOCATION = Invocation("id-1", b'{"n": 1}', "arn:f", "Root=1", 1234)


@pytest.fixture
def api():
    api = RuntimeApi()
    yield api
    api.close()


def call(api, method, path, body=None, headers=None):
    url = f"http://{api.address}/2018-06-01/runtime/{path}"
    with urllib3.PoolManager() as pool:
        return pool.request(method, url, body=body, headers=headers, retries=False, timeout=10)


def taken(api):
    api.submit(INVOCATION)
    return call(api, "GET", "invocation/next")


def test_the_runtime_gets_the_invocation_with_its_headers_and_its_response_is_the_reply(api):
    answer = taken(api)
    assert (answer.status, answer.data) == (200, INVOCATION.payload)
    assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert answer.headers["Lambda-Runtime-Deadline-Ms"] == "1234"
    assert answer.headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:f"
    assert call(api, "POST", "invocation/id-1/response", b"done").status == 202
    assert api.wait(api.replied, 5)
    assert (api.reply.payload, api.reply.is_error) == (b"done", False)


def test_an_error_of_the_handler_is_an_error_and_one_of_the_init_ends_the_wait(api):
    taken(api)
    call(api, "POST", "invocation/id-1/error", b'{"errorType": "X"}')
    assert api.reply.is_error
    api.reset()
    assert api.reply is None
    call(api, "POST", "init/error", b'{"errorType": "Init"}')
    assert not api.wait(api.ready, 5)
    assert api.init_error.payload == b'{"errorType": "Init"}'


def test_a_reply_to_another_invocation_or_a_second_one_is_refused(api):
    taken(api)
    assert call(api, "POST", "invocation/another/response", b"x").status == 400
    assert not api.replied()
    assert call(api, "POST", "invocation/id-1/response", b"first").status == 202
    assert call(api, "POST", "invocation/id-1/response", b"second").status == 400
    assert api.reply.payload == b"first"


def test_a_response_that_is_too_large_is_an_error_with_lambdas_message(api):
    taken(api)
    assert call(api, "POST", "invocation/id-1/response", b"x" * (MAX_PAYLOAD_BYTES + 1)).status == 413
    assert api.reply.is_error
    assert b"Function.ResponseSizeTooLarge" in api.reply.payload


def test_a_response_in_chunks_is_whole(api):
    taken(api)
    call(api, "POST", "invocation/id-1/response", iter([b"one ", b"two"]), {"Transfer-Encoding": "chunked"})
    assert api.reply.payload == b"one two"


@pytest.mark.parametrize(("method", "path"), [("GET", "invocation/last"), ("POST", "invocation/next"), ("POST", "nothing")])
def test_what_is_no_part_of_the_api_is_not_found(api, method, path):
    assert call(api, method, path, b"" if method == "POST" else None).status == 404


def test_a_runtime_that_waits_is_ready_and_is_let_go_when_the_environment_ends(api):
    ended = threading.Event()

    def ask():
        with pytest.raises(urllib3.exceptions.HTTPError):
            call(api, "GET", "invocation/next")
        ended.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert api.wait(api.ready, 10)
    api.reset()
    assert ended.wait(10)
    thread.join()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Referer": "http://evil.example/"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
def test_a_web_page_that_finds_the_port_is_refused(api, headers):
    assert call(api, "POST", "init/error", b"from a page", headers).status == 403
    assert api.init_error is None


@pytest.mark.parametrize(
    "headers", [{"Host": "localhost"}, {"Host": "127.0.0.1"}, {"Sec-Fetch-Mode": "cors", "User-Agent": "node"}]
)
def test_a_bootstrap_of_any_language_may_ask(api, headers):
    assert call(api, "POST", "init/error", b"{}", headers).status == 202
