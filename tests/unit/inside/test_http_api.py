"""HTTP APIs: which route a request takes, what its event holds, and how many go through."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localstack.aws.api import CommonServiceException
from moto.apigatewayv2.models import apigatewayv2_backends

from harness.inside import throttle
from harness.inside.http_api import openapi
from harness.inside.http_api.event import Incoming, Way, version_1, version_2
from harness.inside.http_api.routes import match

PARTS = st.sampled_from(["a", "b", "{x}", "{y}"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
KEYS = st.tuples(st.sampled_from(["GET", "POST", "ANY"]), PATHS, st.sampled_from(["", "/{rest+}"])).map(
    lambda k: f"{k[0]} {k[1]}{k[2]}"
)
GIVEN = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(KEYS | st.just("$default"), max_size=6), st.sampled_from(["GET", "POST"]), GIVEN)
def test_a_route_that_is_taken_fits_and_none_is_missed(keys, method, path):
    def fits(key):
        wanted, _, template = key.partition(" ")
        given, parts = path.strip("/").split("/"), template.strip("/").split("/")
        if wanted not in {method, "ANY"}:
            return False
        if parts[-1] == "{rest+}":
            given, parts = given[: len(parts) - 1] if len(given) >= len(parts) else None, parts[:-1]
        return (
            given is not None
            and len(given) == len(parts)
            and all(p.startswith("{") or p == g for p, g in zip(parts, given, strict=True))
        )

    found = match(keys, method, path)
    fitting = [key for key in keys if key == "$default" or fits(key)]
    assert (found is None) == (not fitting)
    if found is not None:
        key, parameters = found
        assert key in fitting
        assert (key == "$default") == (fitting and set(fitting) == {"$default"})
        filled = key.partition(" ")[2]
        for name, value in parameters.items():
            filled = filled.replace(f"{{{name}}}", value, 1).replace(f"{{{name}+}}", value, 1)
        if len(parameters) == key.count("{"):
            assert key == "$default" or filled == path


NAMES = st.text("abc-", min_size=1, max_size=5)
HEADERS = st.lists(st.tuples(NAMES, st.text("xyz ,;=", max_size=6)), max_size=5)


@given(
    HEADERS,
    st.binary(max_size=30),
    st.sampled_from(["text/plain", "application/json; charset=utf-8", "image/png", "application/x-www-form-urlencoded"]),
)
def test_nothing_of_a_body_or_a_header_is_lost_on_the_way_to_a_function(headers, body, kind):
    request = Incoming("POST", "/a", "", [*headers, ("content-type", kind)], body, "127.0.0.1", "id", 0.0)
    way = Way("1", "api", "api.execute-api.us-east-1.amazonaws.com", "$default", "POST /a", {}, {})
    for event in (version_1(request, way), version_2(request, way)):
        told = event.get("body") or ""
        assert (base64.b64decode(told) if event["isBase64Encoded"] else told.encode()) == body
    several = version_1(request, way)["multiValueHeaders"]
    assert sorted((name, value) for name, values in several.items() for value in values) == sorted(request.headers)


@given(st.lists(st.floats(0, 2, allow_nan=False), max_size=60), st.integers(1, 5), st.floats(0.1, 20))
def test_never_more_goes_through_than_the_burst_and_what_the_rate_adds(pauses, burst, rate):
    name, now, passed = object(), 100.0, 0
    began = now
    for pause in pauses:
        now += pause
        passed += throttle.takes(name, rate, burst, now)
        assert passed <= burst + (now - began) * rate + 1e-6
    if pauses:
        assert passed >= 1


@pytest.mark.parametrize("body", ["", "{", "[]", '{"swagger": "2.0"}', "openapi: [1"])
def test_what_is_no_openapi_is_refused(body):
    with pytest.raises(CommonServiceException):
        openapi.read(body)


def test_an_openapi_document_becomes_routes_integrations_and_authorizers():
    document = openapi.read("""
openapi: 3.0.1
info: {title: shop, version: "2"}
components:
  securitySchemes:
    jwt:
      type: oauth2
      x-amazon-apigateway-authorizer:
        type: jwt
        identitySource: $request.header.Authorization
        jwtConfiguration: {issuer: "https://issuer", audience: [me]}
  x-amazon-apigateway-integrations:
    shared: {type: AWS_PROXY, uri: "arn:aws:lambda:us-east-1:1:function:shared", payloadFormatVersion: "2.0"}
paths:
  /orders/{id}:
    post:
      security: [{jwt: [write]}]
      x-amazon-apigateway-integration: {type: aws_proxy, uri: "arn:aws:lambda:us-east-1:1:function:f", payloadFormatVersion: "2.0", timeoutInMillis: 5000}
    x-amazon-apigateway-any-method:
      x-amazon-apigateway-integration: {$ref: "#/components/x-amazon-apigateway-integrations/shared"}
  $default:
    x-amazon-apigateway-any-method:
      isDefaultRoute: true
      x-amazon-apigateway-integration: {type: http_proxy, httpMethod: ANY, uri: "http://127.0.0.1:1/"}
x-amazon-apigateway-cors: {allowOrigins: ["*"]}
""")
    api = apigatewayv2_backends["000000000001"]["us-east-1"].create_api(
        api_key_selection_expression=None, cors_configuration=None, description=None, disable_schema_validation=None,
        disable_execute_api_endpoint=None, name="", protocol_type="HTTP", route_selection_expression=None, tags={}, version=None,
    )  # fmt: skip
    openapi.fill(api, document)
    routes = {route.route_key: route for route in api.routes.values()}
    assert set(routes) == {"POST /orders/{id}", "ANY /orders/{id}", "$default"}
    made = {key: api.integrations[route.target.partition("/")[2]] for key, route in routes.items()}
    assert {key: integration.integration_type for key, integration in made.items()} == {
        "POST /orders/{id}": "AWS_PROXY", "ANY /orders/{id}": "AWS_PROXY", "$default": "HTTP_PROXY",
    }  # fmt: skip
    assert (made["POST /orders/{id}"].timeout_in_millis, made["ANY /orders/{id}"].integration_uri[-6:]) == (5000, "shared")
    secured = routes["POST /orders/{id}"]
    authorizer = api.authorizers[secured.authorizer_id]
    assert (secured.authorization_type, secured.authorization_scopes) == ("JWT", ["write"])
    assert authorizer.jwt_config == {"issuer": "https://issuer", "audience": ["me"]}
    assert (api.name, api.version, api.cors_configuration) == ("shop", "2", {"allowOrigins": ["*"]})
