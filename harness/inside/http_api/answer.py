"""What an HTTP API answers: its own errors, and the answers of functions in both formats.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, headers in their order, and a body."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""


class RefusedError(Exception):
    """API Gateway answers itself, with this status and message."""

    def __init__(self, status: HTTPStatus, message: str | None = None) -> None:
        self.answer = Answer(
            status, [("content-type", "application/json")], json.dumps({"message": message or status.phrase}).encode()
        )
        super().__init__(self.answer.body.decode())


def of_function(payload: bytes, version: str) -> Answer:
    """Returns the answer that a function's result stands for. Raises RefusedError, with 500, where it makes no sense.

    In format 2.0 a result without a statusCode is the body of a 200."""
    try:
        result = json.loads(payload or b"null")
    except ValueError:
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR) from None
    if not (isinstance(result, dict) and "statusCode" in result):
        if version != "2.0":
            raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR)
        text = result if isinstance(result, str) else json.dumps(result)
        return Answer(HTTPStatus.OK, [("content-type", "application/json")], text.encode())
    try:
        return Answer(int(result["statusCode"]), _headers(result, version), _body(result))
    except (TypeError, ValueError, AttributeError, binascii.Error):
        raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR) from None


def _headers(result: dict[str, Any], version: str) -> list[tuple[str, str]]:
    headers = [(name, _text(value)) for name, value in (result.get("headers") or {}).items()]
    if version == "1.0":
        several = {name.lower(): values for name, values in (result.get("multiValueHeaders") or {}).items()}
        headers = [(name, value) for name, value in headers if name.lower() not in several]
        headers += [(name, _text(value)) for name, values in several.items() for value in values]
    headers += [("set-cookie", cookie) for cookie in result.get("cookies") or []]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=UTF-8" if version == "1.0" else "text/plain; charset=utf-8"))
    return headers


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise TypeError(value)
    return str(value)


def _body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise TypeError(body)
    return base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
