"""Serves the requests that come for an HTTP API."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from localstack.http import Request, Response
from localstack.utils.strings import short_uid
from moto.apigatewayv2.models import apigatewayv2_backends

from harness.inside import throttle
from harness.inside.http_api import event as events
from harness.inside.http_api import integration as integrations
from harness.inside.http_api.answer import Answer, RefusedError
from harness.inside.http_api.authorizer import authorize
from harness.inside.http_api.event import Incoming, Way
from harness.inside.http_api.routes import DEFAULT, match

LOG = logging.getLogger(__name__)

MAX_BODY_BYTES = 10 * 1024 * 1024
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""

_INTERNAL_PATH = "/_aws/execute-api/"
_FORMATS = {"1.0": events.version_1, "2.0": events.version_2}


def find(api_id: str) -> tuple[str, str, Any] | None:
    """Returns account, region and moto's API of this id, or None."""
    for account, regions in list(apigatewayv2_backends.items()):
        for region, backend in list(regions.items()):
            if api_id in backend.apis and backend.apis[api_id].protocol_type == "HTTP":
                return account, region, backend.apis[api_id]
    return None


def serve(request: Request, found: tuple[str, str, Any]) -> Response:
    """Answers a request, whatever becomes of it."""
    account, region, api = found
    came = _incoming(request, api.api_id)
    try:
        stage, path = _stage(api, came.path)
        came = replace(came, path=path)
        answer = _preflight(api, came) or _through(account, region, api, stage, came)
    except RefusedError as refusal:
        answer = refusal.answer
    except Exception:
        LOG.exception("A request of HTTP API %s failed", api.api_id)
        answer = RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR).answer
    headers = _shared(api, came, answer)
    response = Response(answer.body, status=answer.status)
    response.headers.clear()
    for name, value in [*headers, ("apigw-requestid", came.request_id)]:
        response.headers.add(name, value)
    response.headers["content-length"] = str(len(answer.body))
    return response


def _incoming(request: Request, api_id: str) -> Incoming:
    path = unquote(request.path)
    if path.startswith(_INTERNAL_PATH):
        path = path.removeprefix(_INTERNAL_PATH).partition(api_id)[2]
    return Incoming(
        method=request.method,
        path="/" + path.lstrip("/"),
        query=request.query_string.decode(errors="replace"),
        headers=[(name, value) for name, value in request.headers.items() if not name.lower().startswith("x-localstack")],
        body=request.get_data(),
        source_ip=request.remote_addr or "127.0.0.1",
        request_id=short_uid() + uuid4().hex[:8] + "=",
        received_at=time.time(),
    )


def _stage(api: Any, path: str) -> tuple[Any, str]:
    """Returns the stage and the path behind it. A path that begins with no stage's name is one of the stage $default."""
    first, _, rest = path.removeprefix("/").partition("/")
    if first in api.stages and first != DEFAULT:
        return api.stages[first], f"/{rest}"
    if DEFAULT not in api.stages:
        raise RefusedError(HTTPStatus.NOT_FOUND)
    return api.stages[DEFAULT], path


def _through(account: str, region: str, api: Any, stage: Any, came: Incoming) -> Answer:
    """Returns the answer of the route's integration. Raises RefusedError for what does not come so far."""
    if len(came.body) > MAX_BODY_BYTES:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
    routes = {route.route_key: route for route in list(api.routes.values())}
    matched = match(routes, came.method, came.path)
    if matched is None:
        raise RefusedError(HTTPStatus.NOT_FOUND)
    key, parameters = matched
    route = routes[key]
    _throttle(api, stage, key)
    variables = dict(stage.stage_variables or {})
    domain = f"{api.api_id}.execute-api.{region}.amazonaws.com"
    way = Way(account, api.api_id, domain, stage.name, key, parameters, variables)
    source_arn = f"arn:aws:execute-api:{region}:{account}:{api.api_id}/{stage.name}/{_in_arn(key)}"

    def event_of(version: str) -> dict[str, Any]:
        return _FORMATS.get(version, events.version_1)(came, way)

    authorizer_arn = f"arn:aws:execute-api:{region}:{account}:{api.api_id}/authorizers/{route.authorizer_id}"
    authorizer = api.authorizers.get(route.authorizer_id) if route.authorizer_id else None
    granted = authorize(route, authorizer, came, event_of, way, lambda uri, asked: integrations.invoke(uri, asked, authorizer_arn))
    way = replace(way, authorizer=granted)
    integration = api.integrations.get(str(route.target or "").removeprefix("integrations/"))
    if integration is None:
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
    uri = _with_variables(integration.integration_uri or "", variables)
    timeout_s = (integration.timeout_in_millis or 30_000) / 1000
    match (integration.integration_type, bool(integration.integration_subtype)):
        case "AWS_PROXY", False:
            event = _FORMATS.get(integration.payload_format_version or "1.0", events.version_1)(came, way)
            return integrations.within(timeout_s, lambda: integrations.by_function(integration, event, uri, source_arn))
        case "AWS_PROXY", True:
            return integrations.within(timeout_s, lambda: integrations.by_service(integration, came, way, region))
        case "HTTP_PROXY", _:
            return integrations.by_http(integration, came, way, uri, timeout_s)
        case _:
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)


def _throttle(api: Any, stage: Any, key: str) -> None:
    settings = {**(stage.default_route_settings or {}), **((stage.route_settings or {}).get(key) or {})}
    is_own = bool((stage.route_settings or {}).get(key))
    rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
    if not throttle.takes((api.api_id, stage.name, key if is_own else ""), rate, burst):
        raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS)


def _in_arn(key: str) -> str:
    """Returns a route as in the ARN that a function's policy names: POST/items/{id}, */items for ANY, or $default."""
    method, _, path = key.partition(" ")
    return f"{'*' if method == 'ANY' else method}{path}" if path else key


def _with_variables(text: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace(f"${{stageVariables.{name}}}", value)
    return text


# Requests of web pages, https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html


def _header(came: Incoming, name: str) -> str:
    return next((value for key, value in came.headers if key.lower() == name), "")


def _allowed(api: Any, came: Incoming) -> list[tuple[str, str]]:
    """Returns the headers that let the page of this request's origin read the answer; none where it may not."""
    cors, origin = api.cors_configuration or {}, _header(came, "origin")
    origins = cors.get("allowOrigins") or []
    if not origin or not ("*" in origins or origin in origins):
        return []
    with_credentials = bool(cors.get("allowCredentials"))
    allowed = [("access-control-allow-origin", "*" if "*" in origins and not with_credentials else origin)]
    if with_credentials:
        allowed.append(("access-control-allow-credentials", "true"))
    return allowed


def _preflight(api: Any, came: Incoming) -> Answer | None:
    """Returns API Gateway's own answer to a page's question what it may ask; None for any other request."""
    cors = api.cors_configuration
    if not cors or came.method != "OPTIONS" or not _header(came, "access-control-request-method"):
        return None
    headers = _allowed(api, came)
    if headers:
        for name, key in (("methods", "allowMethods"), ("headers", "allowHeaders")):
            if cors.get(key):
                headers.append((f"access-control-allow-{name}", ",".join(cors[key])))
        if cors.get("maxAge") is not None:
            headers.append(("access-control-max-age", str(cors["maxAge"])))
    return Answer(HTTPStatus.NO_CONTENT, headers)


def _shared(api: Any, came: Incoming, answer: Answer) -> list[tuple[str, str]]:
    """Returns the headers of an answer; an API with a configuration for web pages says itself who may read it."""
    if not api.cors_configuration or answer.status == HTTPStatus.NO_CONTENT:
        return answer.headers
    exposed = api.cors_configuration.get("exposeHeaders")
    own = _allowed(api, came)
    if own and exposed:
        own.append(("access-control-expose-headers", ",".join(exposed)))
    return [(name, value) for name, value in answer.headers if not name.lower().startswith("access-control-")] + own
