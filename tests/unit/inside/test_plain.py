"""Plain requests: what the short way says of them is what the long way says, and whoever is not plain goes the long way."""

from __future__ import annotations

from types import SimpleNamespace
from urllib.parse import quote

import pytest
from localstack.aws import handlers
from localstack.aws.api import RequestContext
from localstack.aws.chain import HandlerChain
from localstack.aws.handlers.service_plugin import ServiceLoaderForDataPlane
from localstack.http import Response
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request

from harness.inside.application import HEADERS
from harness.inside.call import of as call_of
from harness.inside.connections import remember
from harness.inside.gate import Gate, GateHandler
from harness.inside.plain import ShortWay
from harness.inside.server import _environment, _of_connection, _Request
from tests.unit.inside.wire import TcpLike

NAMES = {"localhost", "127.0.0.1"}
ASKED = [
    GateHandler(Gate("localhost", frozenset(), "")), handlers.add_internal_request_params, handlers.handle_runtime_shutdown,
    ServiceLoaderForDataPlane(None), handlers.enforce_cors, handlers.content_decoder, handlers.validate_request_schema,
    handlers.serve_localstack_resources, handlers.serve_edge_router_rules, handlers.parse_service_name, handlers.parse_pre_signed_url_request,
    handlers.inject_auth_header_if_missing, handlers.add_region_from_header, handlers.rewrite_region, handlers.add_account_id,
    handlers.parse_trace_context, handlers.parse_service_request,
]  # fmt: skip
JSON = {"X-Amz-Target": "DynamoDB_20120810.GetItem", "Content-Type": "application/x-amz-json-1.0"}


def request(
    method="POST",
    path="/",
    body=b"{}",
    query="",
    *,
    service="dynamodb",
    region="eu-west-1",
    key="123456789012",
    host="localhost:4566",
    twice="",
    **headers,
):
    """Returns a request as the server hands it to the gateway."""
    signed = f"AWS4-HMAC-SHA256 Credential={key}/20261129/{region}/{service}/aws4_request, SignedHeaders=host, Signature=1"
    given_ = {"Host": host, "Authorization": signed, "Content-Length": str(len(body)), **headers}
    came = _Request()
    came.method, came.url, came.pieces = method, f"{quote(path)}?{query}".encode(), [body]
    came.headers = [(name.encode(), value.encode()) for name, value in given_.items() if value is not None]
    came.headers += [(name, value) for name, value in came.headers if name == twice.encode()]
    environ = _environment(came, _of_connection(("127.0.0.1", 1), TcpLike(None)))
    made = Request(environ)
    made.headers = Headers(environ[HEADERS])
    remember(environ, SimpleNamespace())
    return made


@pytest.fixture
def way():
    return ShortWay(SimpleNamespace(request_handlers=ASKED, response_handlers=[], finalizers=[], exception_handlers=[]), NAMES)


def outcome(chain, asked):
    context, response = RequestContext(asked), Response()
    chain.handle(context, response)
    assert chain.error is None
    said = (
        context.service.service_name,
        context.protocol,
        context.operation.name,
        context.region,
        context.partition,
        context.account_id,
    )
    parameters = {name: value.read() if hasattr(value, "read") else value for name, value in context.service_request.items()}
    return said, parameters, call_of(context).signed, asked.headers.get("x-moto-account-id"), response.status_code


PLAIN = {
    "DynamoDB": ({"body": b'{"TableName": "t", "Key": {"id": {"S": "1"}}}', **JSON}, "GetItem"),
    "Kinesis": (
        {
            "service": "kinesis",
            **JSON,
            "X-Amz-Target": "Kinesis_20131202.ListStreams",
            "Content-Type": "application/x-amz-json-1.1",
        },
        "ListStreams",
    ),
    "SQS": ({"service": "sqs", **JSON, "X-Amz-Target": "AmazonSQS.ListQueues"}, "ListQueues"),
    "events": (
        {"service": "events", **JSON, "X-Amz-Target": "AWSEvents.ListRules", "Content-Type": "application/x-amz-json-1.1"},
        "ListRules",
    ),
    "S3, an object": ({"service": "s3", "method": "PUT", "path": "/bucket/a key", "body": b"x"}, "PutObject"),
    "S3, a list": ({"service": "s3", "method": "GET", "path": "/bucket", "query": "list-type=2"}, "ListObjectsV2"),
    "Lambda": ({"service": "lambda", "path": "/2015-03-31/functions/f/invocations"}, "Invoke"),
    "a temporary key": ({"body": b'{"TableName": "t", "Key": {}}', "key": "LSIAQAAAAAAVNCBMPNSG", **JSON}, "GetItem"),
    "no such region": ({"region": "middle-earth-1", "body": b'{"TableName": "t", "Key": {}}', **JSON}, "GetItem"),
}


@pytest.mark.parametrize(("asked", "operation"), PLAIN.values(), ids=PLAIN)
def test_both_ways_say_the_same_the_first_time_and_from_memory(way, asked, operation):
    long = outcome(HandlerChain(ASKED), request(**asked))
    for _ in range(2):
        chain = way.of_plain(request(**asked))
        assert chain is not None
        short = outcome(chain, request(**asked))
        assert (short, short[0][2]) == (long, operation)


def test_what_was_said_of_one_key_is_not_said_of_another(way):
    asked = {"body": b'{"TableName": "t", "Key": {}}', **JSON}
    accounts = {
        outcome(way.of_plain(request(key=key, **asked)), request(key=key, **asked))[0][5]
        for key in ("111111111111", "222222222222")
    }
    assert accounts == {"111111111111", "222222222222"}
    regions = [
        outcome(way.of_plain(request(region=region, **asked)), request(region=region, **asked))[0][3]
        for region in ("eu-west-1", "us-east-2")
    ]
    assert regions == ["eu-west-1", "us-east-2"]


def test_every_request_of_s3_is_asked_for_what_its_signature_needs(way):
    asked = {"service": "s3", "method": "PUT", "path": "/b/k", "body": b"x"}
    outcome(way.of_plain(request(**asked)), request(**asked))
    without_length = request(**asked, **{"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"})
    context = RequestContext(without_length)
    way.of_plain(without_length).handle(context, Response())
    assert context.service_request is None


OTHERS = {
    "a page asks": {**JSON, "Origin": "http://localhost:4566"},
    "a page's link": {**JSON, "referer": "http://localhost:4566/"},
    "a browser": {**JSON, "Sec-Fetch-Site": "same-origin"},
    "another name": {**JSON, "host": "evil.example:4566"},
    "a name below ours": {**JSON, "host": "x.localhost:4566"},
    "no port": {**JSON, "host": "localhost:80/evil"},
    "a port that there is not": {**JSON, "host": "localhost:65536"},
    "no signature": {**JSON, "Authorization": None},
    "another signature": {**JSON, "Authorization": "AWS key:signature"},
    "LocalStack's own parameters": {**JSON, "x-localstack-data": "{}"},
    "packed": {**JSON, "Content-Encoding": "gzip"},
    "a packed event": {"service": "lambda", "path": "/2015-03-31/functions/f/invocations", "Content-Encoding": "gzip"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded", "body": b"Action=ListQueues", "service": "sqs"},
    "no target": {"Content-Type": "application/x-amz-json-1.0"},
    "a query": {**JSON, "query": "a=b"},
    "a link": {**JSON, "method": "GET"},
    "a route of LocalStack": {"service": "s3", "method": "GET", "path": "/_localstack/health"},
    "a control route": {"service": "s3", "method": "GET", "path": "/_pipeproof/activity"},
    "a route behind two slashes": {"service": "s3", "method": "GET", "path": "//_localstack/health"},
    "a presigned link": {"service": "s3", "method": "GET", "path": "/b/k", "query": "X-Amz-Signature=1"},
    "an older presigned link": {"service": "s3", "method": "GET", "path": "/b/k", "query": "AWSAccessKeyId=a&Signature=1"},
    "a preflight": {"service": "s3", "method": "OPTIONS", "path": "/b/k"},
    "S3 of the account": {"service": "s3", "method": "GET", "path": "/v20180820/jobs"},
    "a service whose paths are others'": {"service": "apigateway", "method": "GET", "path": "/v2/apis"},
}


@pytest.mark.parametrize("asked", OTHERS.values(), ids=OTHERS)
def test_whoever_is_not_plain_goes_the_long_way(way, asked):
    assert way.of_plain(request(**asked)) is None


@pytest.mark.parametrize("name", ["Host", "Authorization", "X-Amz-Target", "Content-Type", "X-Own"])
def test_a_header_that_comes_twice_goes_the_long_way(way, name):
    asked = {**JSON, "X-Own": "1"}
    assert way.of_plain(request(**asked)) is not None
    assert way.of_plain(request(twice=name, **asked)) is None


@pytest.mark.parametrize("name", ["X_Amz_Target", "content_type", "X_Own"])
def test_a_header_with_the_variable_of_another_one_goes_the_long_way(way, name):
    said = (
        {**JSON, name: "x"}
        if name == "X_Own"
        else {name: JSON["X-Amz-Target" if "Target" in name else "Content-Type"]}
        | {one: value for one, value in JSON.items() if one.replace("-", "_").lower() != name.lower()}
    )
    assert way.of_plain(request(**said)) is None


def test_who_did_not_come_on_a_connection_goes_the_long_way(way):
    asked = request(**JSON)
    asked.environ.clear()
    assert way.of_plain(asked) is None


def test_calls_of_localstack_itself_pass_its_own_parameters_on(way):
    chain = way.of_internal(SimpleNamespace(service=object(), operation=object()))
    assert handlers.add_internal_request_params in chain.request_handlers
    assert handlers.serve_edge_router_rules not in chain.request_handlers
    # CloudWatch's client packs what has 10 KB.
    assert chain.request_handlers.index(handlers.content_decoder) < chain.request_handlers.index(handlers.parse_service_request)
    assert way.of_internal(SimpleNamespace(service=None, operation=object())) is None
