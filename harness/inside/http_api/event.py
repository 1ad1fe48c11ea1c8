"""The event that a function gets of a request to an HTTP API, in both formats.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

# Bodies of all other types are handed over in base64.
_TEXT = re.compile(r"\s*(text/.*|application/(json|xml|javascript|.*\+json|.*\+xml))\s*(;.*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came. `path` is without the stage and decoded; `query` is as it was sent; `headers` are in their order."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    source_ip: str
    request_id: str
    received_at: float


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request goes: its API, stage and route."""

    account: str
    api_id: str
    domain: str
    stage: str
    route_key: str
    path_parameters: dict[str, str]
    stage_variables: dict[str, str]
    authorizer: dict[str, Any] = field(default_factory=dict)


def version_2(request: Incoming, way: Way) -> dict[str, Any]:
    """Returns the event of payload format 2.0. What is empty is not there."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name.lower(), []).append(value)
    cookies = [cookie.strip() for line in headers.pop("cookie", []) for cookie in line.split(";") if cookie.strip()]
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    context: dict[str, Any] = {
        "accountId": way.account,
        "apiId": way.api_id,
        "domainName": way.domain,
        "domainPrefix": way.domain.partition(".")[0],
        "http": {
            "method": request.method,
            "path": _whole_path(request, way),
            "protocol": "HTTP/1.1",
            "sourceIp": request.source_ip,
            "userAgent": ",".join(headers.get("user-agent", [])),
        },
        "requestId": request.request_id,
        "routeKey": way.route_key,
        "stage": way.stage,
        "time": _clf(request.received_at),
        "timeEpoch": int(request.received_at * 1000),
    }
    if way.authorizer:
        context["authorizer"] = way.authorizer
    body, is_base64 = _body(request)
    event = {
        "version": "2.0",
        "routeKey": way.route_key,
        "rawPath": _whole_path(request, way),
        "rawQueryString": request.query,
        "cookies": cookies,
        "headers": {name: ",".join(values) for name, values in headers.items()},
        "queryStringParameters": {name: ",".join(values) for name, values in query.items()},
        "requestContext": context,
        "pathParameters": way.path_parameters,
        "stageVariables": way.stage_variables,
        "body": body,
        "isBase64Encoded": is_base64,
    }
    left_out = {"cookies", "queryStringParameters", "pathParameters", "stageVariables", "body"}
    return {name: value for name, value in event.items() if value or name not in left_out}


def version_1(request: Incoming, way: Way) -> dict[str, Any]:
    """Returns the event of payload format 1.0. What is empty is null."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(request.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    body, is_base64 = _body(request)
    resource = way.route_key.partition(" ")[2] or way.route_key
    return {
        "version": "1.0",
        "resource": resource,
        "path": _whole_path(request, way),
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": {
            "accountId": way.account,
            "apiId": way.api_id,
            "authorizer": way.authorizer or {"claims": None, "scopes": None},
            "domainName": way.domain,
            "domainPrefix": way.domain.partition(".")[0],
            "extendedRequestId": request.request_id,
            "httpMethod": request.method,
            "identity": {"sourceIp": request.source_ip, "userAgent": next((v[-1] for n, v in headers.items() if n.lower() == "user-agent"), None)},
            "path": _whole_path(request, way),
            "protocol": "HTTP/1.1",
            "requestId": request.request_id,
            "requestTime": _clf(request.received_at),
            "requestTimeEpoch": int(request.received_at * 1000),
            "resourceId": way.route_key,
            "resourcePath": resource,
            "stage": way.stage,
        },
        "pathParameters": way.path_parameters or None,
        "stageVariables": way.stage_variables or None,
        "body": body,
        "isBase64Encoded": is_base64,
    }  # fmt: skip


def _whole_path(request: Incoming, way: Way) -> str:
    return request.path if way.stage == "$default" else f"/{way.stage}{request.path}"


def _body(request: Incoming) -> tuple[str | None, bool]:
    if not request.body:
        return None, False
    kind = next((value for name, value in request.headers if name.lower() == "content-type"), "text/plain")
    if _TEXT.fullmatch(kind):
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def _clf(at: float) -> str:
    """Returns a time as in the common log format: 12/Mar/2020:19:03:58 +0000."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(at))
