"""What an HTTP API hands a request to: functions, queues, streams, buses and state machines, and other servers on this machine.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations.html
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from botocore.exceptions import BotoCoreError, ClientError
from localstack.aws.connect import connect_to

from harness.inside import integrations
from harness.inside.http_api.answer import Answer, RefusedError, of_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.inside.http_api.event import Incoming, Way

_PRINCIPAL = "apigateway"
_FUNCTION = re.compile(r"arn:aws[\w-]*:lambda:([\w-]+):\d+:function:[^/\s]+")
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def within(timeout_s: float, work: Callable[[], Answer]) -> Answer:
    """Returns the answer of an integration. Raises RefusedError, with 503, where it takes too long; its work then goes on."""
    try:
        return integrations.within(timeout_s, work)
    except integrations.OutOfTimeError:
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE) from None


def invoke(uri: str, event: Any, source_arn: str, role: str | None = None) -> bytes:
    """Returns the result of a function. Raises RefusedError: 500 for an error of it or where it may not be invoked, 503 where it is throttled."""
    found = _FUNCTION.search(uri)
    if found is None:
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
    client = _clients(found[1], role).lambda_.request_metadata(service_principal=_PRINCIPAL, source_arn=source_arn)
    try:
        answer = client.invoke(FunctionName=found[0], Payload=json.dumps(event).encode(), InvocationType="RequestResponse")
    except ClientError as error:
        is_throttled = error.response["Error"]["Code"] == "TooManyRequestsException"
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE if is_throttled else HTTPStatus.INTERNAL_SERVER_ERROR) from error
    except BotoCoreError as error:
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR) from error
    payload: bytes = answer["Payload"].read()
    if answer.get("FunctionError"):
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
    return payload


def by_function(integration: Any, event: Any, uri: str, source_arn: str) -> Answer:
    """Returns the answer of a Lambda proxy integration."""
    version = integration.payload_format_version or "1.0"
    return of_function(invoke(uri, event, source_arn, integration.credentials_arn), version)


_NUMBERS = {"DelaySeconds", "MaxNumberOfMessages", "VisibilityTimeout", "WaitTimeSeconds"}
_STRUCTURES = {"MessageAttributes", "MessageSystemAttributes", "AttributeNames", "MessageAttributeNames", "Resources"}
# First-class integrations: service and operation.
_CALLS: dict[str, tuple[str, str]] = {
    "SQS-SendMessage": ("sqs", "send_message"),
    "SQS-DeleteMessage": ("sqs", "delete_message"),
    "SQS-PurgeQueue": ("sqs", "purge_queue"),
    "SQS-ReceiveMessage": ("sqs", "receive_message"),
    "Kinesis-PutRecord": ("kinesis", "put_record"),
    "EventBridge-PutEvents": ("events", "put_events"),
    "StepFunctions-StartExecution": ("stepfunctions", "start_execution"),
    "StepFunctions-StopExecution": ("stepfunctions", "stop_execution"),
}


def by_service(integration: Any, request: Incoming, way: Way, region: str) -> Answer:
    """Returns the answer of a first-class integration: what the service answers, as JSON."""
    if integration.integration_subtype not in _CALLS:
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
    service, operation = _CALLS[integration.integration_subtype]
    given = {name: _value(text, request, way) for name, text in (integration.request_parameters or {}).items()}
    region = given.pop("Region", "") or region
    client = getattr(_clients(region, integration.credentials_arn), service)
    try:
        answer = getattr(client, operation)(**_parameters(operation, given))
    except ClientError as error:
        problem = error.response
        status = problem["ResponseMetadata"]["HTTPStatusCode"]
        return Answer(status, [("content-type", "application/json")], json.dumps({"message": problem["Error"]["Message"]}).encode())
    except (BotoCoreError, ValueError) as error:
        # A parameter is missing or makes no sense.
        raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error
    answer.pop("ResponseMetadata", None)
    return Answer(HTTPStatus.OK, [("content-type", "application/json")], json.dumps(answer, default=str).encode())


def _parameters(operation: str, given: dict[str, str]) -> dict[str, Any]:
    """Returns the parameters of a call: numbers and structures are given as texts, and what is empty is not given."""
    call: dict[str, Any] = {name: value for name, value in given.items() if value != ""}
    for name in _NUMBERS & call.keys():
        call[name] = int(call[name])
    for name in _STRUCTURES & call.keys():
        call[name] = json.loads(call[name])
    return {"Entries": [call]} if operation == "put_events" else call


def by_http(integration: Any, request: Incoming, way: Way, uri: str, timeout_s: float) -> Answer:
    """Returns the answer of another server. Raises RefusedError, with 503, for one that is not this machine's: nothing leaves it."""
    for name, value in way.path_parameters.items():
        for placeholder in (f"{{{name}}}", f"{{{name}+}}"):
            uri = uri.replace(placeholder, quote(value))
    if urlsplit(uri).hostname not in _LOOPBACK:
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE)
    method = request.method if integration.integration_method in {None, "ANY"} else integration.integration_method
    kept = {name: value for name, value in request.headers if name.lower() not in {"host", "content-length", "connection"}}
    try:
        got = requests.request(
            method, uri, params=request.query, headers=kept, data=request.body, timeout=timeout_s, allow_redirects=False
        )
    except requests.RequestException:
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE) from None
    dropped = {"content-length", "transfer-encoding", "connection", "content-encoding"}
    return Answer(
        got.status_code, [(name, value) for name, value in got.headers.items() if name.lower() not in dropped], got.content
    )


def _clients(region: str, role: str | None) -> Any:
    if not role:
        return connect_to(region_name=region)
    return connect_to.with_assumed_role(role_arn=role, region_name=region, service_principal=_PRINCIPAL, session_name="http-api")


def _value(text: str, request: Incoming, way: Way) -> str:
    """Returns the value of a parameter mapping: $request.body.name, ${request.header.x}/more, $context.requestId, or the text itself.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services.html"""
    if re.fullmatch(r"\$[\w.$\[\]-]+", text):
        return _selected(text[1:], request, way)
    return re.sub(r"\$\{([^}]+)\}", lambda found: _selected(found[1], request, way), text)


def _selected(expression: str, request: Incoming, way: Way) -> str:
    scope, _, rest = expression.partition(".")
    if scope == "stageVariables":
        return way.stage_variables.get(rest, "")
    if scope == "context":
        return {"requestId": request.request_id, "stage": way.stage, "apiId": way.api_id, "routeKey": way.route_key}.get(rest, "")
    place, _, name = rest.partition(".")
    match place:
        case "header":
            return ",".join(value for key, value in request.headers if key.lower() == name.lower())
        case "querystring":
            return ",".join(parse_qs(request.query, keep_blank_values=True).get(name, []))
        case "path":
            return way.path_parameters.get(name, "") if name else request.path
        case "body":
            return _member(request.body, name)
        case _:
            return ""


def _member(body: bytes, path: str) -> str:
    if not path:
        return body.decode(errors="replace")
    try:
        value = json.loads(body)
        for part in re.findall(r"[^.\[\]]+", path):
            value = value[int(part)] if isinstance(value, list) else value[part]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return value if isinstance(value, str) else json.dumps(value)
