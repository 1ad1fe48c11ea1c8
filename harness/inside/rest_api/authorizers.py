"""Who may make a request to a REST API: Lambda authorizers, Cognito's tokens, and IAM.

The signature of a token is not verified: the keys of its issuer are on the internet. Its times and scopes are.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    AccessDeniedError,
    AuthorizerConfigurationError,
    AuthorizerFailureError,
    MissingAuthTokenError,
    UnauthorizedError,
)
from localstack.services.apigateway.next_gen.execute_api.header_utils import build_multi_value_headers

from harness.inside.http_api.authorizer import claims_of
from harness.inside.iam.policy import Policy, Principal, Request, decide

_KEPT_ANSWERS = 1000
_TTL_S = 300
_PRINCIPAL = "apigateway"
_FUNCTION = re.compile(r"functions/(arn:aws[^/]*)/invocations")

_lock = threading.Lock()
_answers: dict[tuple[Any, ...], tuple[float, dict[str, Any]]] = {}


def authorize(context: Any) -> None:
    """Lets a request, LocalStack's context of it, through or raises the error that API Gateway answers with. What an authorizer says of the
    caller becomes `authorizer` of the context variables."""
    method = context.resource_method
    kind = str(method.get("authorizationType") or "NONE").upper()
    if kind == "AWS_IAM":
        _signed(context)
    elif kind in ("CUSTOM", "COGNITO_USER_POOLS"):
        authorizer = context.deployment.rest_api.authorizers.get(method.get("authorizerId"))
        if authorizer is None:
            raise AuthorizerConfigurationError
        by_token = str(authorizer.get("type")).upper() == "COGNITO_USER_POOLS"
        granted = _by_pool(context, authorizer, method) if by_token else _by_function(context, authorizer)
        context.context_variables["authorizer"] = granted


def _signed(context: Any) -> None:
    request = context.invocation_request
    by_header = request["headers"].get("Authorization", "").startswith("AWS4-HMAC-SHA256")
    if not by_header and "X-Amz-Signature" not in request["query_string_parameters"]:
        raise MissingAuthTokenError("Missing Authentication Token")


def _by_pool(context: Any, authorizer: Any, method: Any) -> dict[str, Any]:
    token = _identities(context, authorizer)[0]
    try:
        claims = claims_of(token or "")
        is_over = float(claims.get("exp", time.time() + 1)) <= time.time()
    except ValueError:
        raise UnauthorizedError("Unauthorized") from None
    if is_over:
        raise UnauthorizedError("The incoming token has expired")
    wanted = set(method.get("authorizationScopes") or ())
    if wanted and not wanted & set(str(claims.get("scope", "")).split()):
        raise UnauthorizedError("Unauthorized")
    return {"claims": {name: value if isinstance(value, str) else json.dumps(value) for name, value in claims.items()}}


def _by_function(context: Any, authorizer: Any) -> dict[str, Any]:
    identities = _identities(context, authorizer)
    ttl_s = int(_TTL_S if authorizer.get("authorizerResultTtlInSeconds") is None else authorizer["authorizerResultTtlInSeconds"])
    by_token = str(authorizer.get("type")).upper() == "TOKEN"
    expected = authorizer.get("identityValidationExpression")
    if (by_token or ttl_s) and None in identities:
        raise UnauthorizedError("Unauthorized")
    if by_token and expected and not re.fullmatch(expected, identities[0] or ""):
        raise UnauthorizedError("Unauthorized")
    request = context.invocation_request
    where = f"{context.api_id}/{context.stage}/{request['http_method']}{request['path']}"
    method_arn = f"arn:aws:execute-api:{context.region}:{context.account_id}:{where}"
    event = (
        {"type": "TOKEN", "methodArn": method_arn, "authorizationToken": identities[0]}
        if by_token
        else _request_event(context, method_arn)
    )
    key = (context.api_id, context.deployment_id, context.stage, authorizer["id"], *identities) if ttl_s and identities else ()
    answer = _kept(key)
    if answer is None:
        answer = _invoked(context, authorizer, event)
        _keep(key, ttl_s, answer)
    return _granted(context, answer, method_arn)


def _identities(context: Any, authorizer: Any) -> list[str | None]:
    """Returns the values of the identity sources, None for one that is missing."""
    request = context.invocation_request
    places = {
        "method.request.header": request["headers"],
        "method.request.querystring": request["query_string_parameters"],
        "stageVariables": context.stage_variables or {},
        "context": context.context_variables,
    }
    sources = [
        source.strip().rpartition(".") for source in str(authorizer.get("identitySource") or "").split(",") if source.strip()
    ]
    return [str(places.get(place, {}).get(name) or "") or None for place, _, name in sources]


def _request_event(context: Any, method_arn: str) -> dict[str, Any]:
    request = context.invocation_request
    return {
        "type": "REQUEST",
        "methodArn": method_arn,
        "resource": context.resource["path"],
        "path": request["path"],
        "httpMethod": str(request["http_method"]),
        "headers": dict(request["headers"]),
        "multiValueHeaders": build_multi_value_headers(request["headers"]),
        "queryStringParameters": request["query_string_parameters"] or {},
        "multiValueQueryStringParameters": request["multi_value_query_string_parameters"] or {},
        "pathParameters": request["path_parameters"] or {},
        "stageVariables": context.stage_variables or {},
        "requestContext": context.context_variables,
    }


def _invoked(context: Any, authorizer: Any, event: dict[str, Any]) -> dict[str, Any]:
    """Returns the function's answer. Raises UnauthorizedError where it fails with the text Unauthorized, else the error of a wrong authorizer."""
    found = _FUNCTION.search(authorizer.get("authorizerUri") or "")
    if found is None:
        raise AuthorizerConfigurationError
    source_arn = f"arn:aws:execute-api:{context.region}:{context.account_id}:{context.api_id}/authorizers/{authorizer['id']}"
    role = authorizer.get("authorizerCredentials")
    region = found[1].split(":")[3]
    clients = (
        connect_to.with_assumed_role(role_arn=role, region_name=region, service_principal=_PRINCIPAL, session_name="authorizer")
        if role
        else connect_to(region_name=region)
    )
    client = clients.lambda_.request_metadata(service_principal=_PRINCIPAL, source_arn=source_arn)
    try:
        answer = client.invoke(FunctionName=found[1], Payload=json.dumps(event).encode())
        payload = json.loads(answer["Payload"].read())
    except (ClientError, ValueError) as error:
        raise AuthorizerConfigurationError from error
    except BotoCoreError as error:
        raise AuthorizerFailureError(None) from error
    if answer.get("FunctionError"):
        if isinstance(payload, dict) and payload.get("errorMessage") == "Unauthorized":
            raise UnauthorizedError("Unauthorized")
        raise AuthorizerConfigurationError
    if not _is_answer(payload):
        raise AuthorizerConfigurationError
    return dict(payload)


def _is_answer(payload: Any) -> bool:
    if not isinstance(payload, dict) or not isinstance(payload.get("principalId"), str):
        return False
    more = payload.get("context") or {}
    told = isinstance(more, dict) and all(isinstance(value, str | int | float | bool) for value in more.values())
    return told and isinstance(payload.get("policyDocument"), dict)


def _granted(context: Any, answer: dict[str, Any], method_arn: str) -> dict[str, Any]:
    """Returns what becomes of an answer that allows the request. Raises AccessDeniedError for any other, or the error of a wrong authorizer."""
    identity = context.context_variables.get("identity") or {}
    caller = Principal(role_arn=answer["principalId"] if answer["principalId"].count(":") >= 4 else "")
    request = Request("execute-api:Invoke", method_arn, caller, {"aws:SourceIp": str(identity.get("sourceIp", ""))})
    try:
        decision = decide((Policy("the authorizer's policy", answer["policyDocument"]),), None, None, request)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise AuthorizerConfigurationError from None
    if not decision.allowed:
        by_deny = " with an explicit deny" if decision.why.startswith("an explicit deny") else ""
        raise AccessDeniedError(f"User is not authorized to access this resource{by_deny}")
    if answer.get("usageIdentifierKey"):
        identity["apiKey"] = answer["usageIdentifierKey"]
    told = {name: value if isinstance(value, str) else json.dumps(value) for name, value in (answer.get("context") or {}).items()}
    return {**told, "principalId": answer["principalId"]}


def _kept(key: tuple[Any, ...]) -> dict[str, Any] | None:
    with _lock:
        until, answer = _answers.get(key, (0.0, None))
    return answer if until > time.monotonic() else None


def _keep(key: tuple[Any, ...], ttl_s: int, answer: dict[str, Any]) -> None:
    """Keeps an answer, whose policy then holds for the identity's requests to every method."""
    if not key:
        return
    with _lock:
        if len(_answers) >= _KEPT_ANSWERS:
            _answers.clear()
        _answers[key] = (time.monotonic() + ttl_s, answer)
