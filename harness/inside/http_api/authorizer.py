"""Who may make a request: JWT and Lambda authorizers, and IAM.

The signature of a token is not verified: the keys of its issuer are on the internet. Issuer, audience, times and scopes are.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from harness.inside.http_api.answer import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.http_api.event import Incoming, Way


def authorize(
    route: Any, authorizer: Any, request: Incoming, event: Callable[[str], dict[str, Any]], way: Way, invoke: Callable[[str, Any], bytes]
) -> dict[str, Any]:  # fmt: skip
    """Returns requestContext.authorizer of the event; {} where the route needs none. Raises RefusedError with 401 or 403.

    `authorizer` is moto's, or None; `event` makes the request's event in a format, "1.0" or "2.0"; `invoke` calls a function with an event."""
    kind = route.authorization_type or "NONE"
    if kind == "NONE":
        return {}
    if kind == "AWS_IAM":
        if not (_header(request, "authorization").startswith("AWS4-HMAC-SHA256") or "X-Amz-Signature=" in request.query):
            raise RefusedError(HTTPStatus.FORBIDDEN)
        return {}
    if authorizer is None:
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
    if authorizer.authorizer_type == "JWT":
        return _by_token(authorizer, route.authorization_scopes or [], request)
    return _by_function(authorizer, request, event, way, invoke)


def claims_of(token: str) -> dict[str, Any]:
    """Returns what a JSON web token claims, its signature aside. Raises ValueError where it is none."""
    try:
        part = token.removeprefix("Bearer ").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, binascii.Error) as error:
        raise ValueError(str(error)) from error
    if not isinstance(claims, dict):
        message = "the claims of a token are no object"
        raise ValueError(message)  # noqa: TRY004 - as for any other text that is no token
    return claims


def _header(request: Incoming, name: str) -> str:
    return next((value for key, value in request.headers if key.lower() == name.lower()), "")


def _identities(authorizer: Any, request: Incoming) -> list[str]:
    """Returns the values of the identity sources. Raises RefusedError, with 401, where one is missing."""
    source = authorizer.identity_source or []
    values = []
    for expression in [source] if isinstance(source, str) else source:
        place, _, name = expression.removeprefix("$request.").partition(".")
        value = (
            _header(request, name)
            if place == "header"
            else parse_qs(request.query).get(name, [""])[0]
            if place == "querystring"
            else "-"
        )
        if not value:
            raise RefusedError(HTTPStatus.UNAUTHORIZED)
        values.append(value)
    return values


def _by_token(authorizer: Any, scopes: list[str], request: Incoming) -> dict[str, Any]:
    [token, *_] = _identities(authorizer, request) or [_header(request, "authorization")]
    try:
        claims = claims_of(token)
    except ValueError:
        raise RefusedError(HTTPStatus.UNAUTHORIZED) from None
    wanted = {key.lower(): value for key, value in (authorizer.jwt_config or {}).items()}
    now, audience = time.time(), claims.get("aud", claims.get("client_id"))
    audiences = audience if isinstance(audience, list) else [audience]
    if (
        (wanted.get("issuer") and claims.get("iss") != wanted["issuer"])
        or (wanted.get("audience") and not set(audiences) & set(wanted["audience"]))
        or float(claims.get("exp", now + 1)) <= now
        or float(claims.get("nbf", now)) > now
    ):
        raise RefusedError(HTTPStatus.UNAUTHORIZED)
    granted = str(claims.get("scope", claims.get("scp", ""))).split()
    if scopes and not set(scopes) & set(granted):
        raise RefusedError(HTTPStatus.FORBIDDEN)
    return {
        "jwt": {
            "claims": {name: value if isinstance(value, str) else json.dumps(value) for name, value in claims.items()},
            "scopes": scopes or None,
        }
    }


def _by_function(
    authorizer: Any, request: Incoming, event: Callable[[str], dict[str, Any]], way: Way, invoke: Callable[[str, Any], bytes]
) -> dict[str, Any]:
    identities = _identities(authorizer, request)
    version = str(authorizer.auth_payload_format_version or "2.0")
    arn = f"{way.stage}/{request.method}{request.path}"
    asked = {**event(version), "type": "REQUEST", "identitySource": identities if version == "2.0" else ",".join(identities)}
    asked.pop("body", None)
    asked.pop("isBase64Encoded", None)
    asked["routeArn" if version == "2.0" else "methodArn"] = arn
    try:
        answer = json.loads(invoke(authorizer.authorizer_uri, asked))
        if "isAuthorized" in answer:
            is_allowed, context = bool(answer["isAuthorized"]), answer.get("context") or {}
        else:
            statements = answer["policyDocument"]["Statement"]
            effects = [statement["Effect"] for statement in ([statements] if isinstance(statements, dict) else statements)]
            is_allowed, context = bool(effects) and "Deny" not in effects, answer.get("context") or {}
    except (ValueError, TypeError, KeyError):
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR) from None
    if not is_allowed:
        raise RefusedError(HTTPStatus.FORBIDDEN)
    return {"lambda": context} if version == "2.0" else dict(context)
