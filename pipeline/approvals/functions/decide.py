"""GET and POST /decisions: what a person sees and does who follows a link.

A mail program may open links by itself: GET shows a form and tells the state machine that somebody is looking; POST decides.
"""

from __future__ import annotations

import html
import json
import os
from typing import Any
from urllib.parse import parse_qs

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config

from pipeline.approvals.transforms import is_signed

logger = Logger(service="approvals-decide")
_config = Config(retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=2, read_timeout=8)
stepfunctions = boto3.client("stepfunctions", config=_config)
secrets = boto3.client("secretsmanager", config=_config)

KEY = secrets.get_secret_value(SecretId=os.environ["LINK_KEY_ARN"])["SecretString"].encode()
_MAX_REASON = 1000


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers as an API Gateway proxy integration (REST, payload 1.0): 200, 403 for a link that is not ours, 410 where it is too late."""
    query = event.get("queryStringParameters") or {}
    token, decision = query.get("token") or "", query.get("decision") or ""
    if not is_signed(KEY, token, decision, query.get("signature") or ""):
        return _page(403, "This link is not valid.")
    gone = stepfunctions.exceptions
    try:
        if event["httpMethod"] == "GET":
            stepfunctions.send_task_heartbeat(taskToken=token)
            return _page(200, _form(decision))
        _decide(token, decision, event.get("body") or "")
    except (gone.TaskTimedOut, gone.TaskDoesNotExist, gone.InvalidToken) as error:
        logger.info("too late", extra={"error": type(error).__name__})
        return _page(410, "This list has been decided on, it is too late, or a later message has other links.")
    return _page(200, "Thank you.")


def _decide(token: str, decision: str, body: str) -> None:
    if decision == "approve":
        stepfunctions.send_task_success(taskToken=token, output=json.dumps({"approved": True}))
        return
    reason = (parse_qs(body).get("reason") or ["no reason given"])[0][:_MAX_REASON]
    stepfunctions.send_task_failure(taskToken=token, error="Rejected", cause=reason)


def _form(decision: str) -> str:
    reason = '<label>Reason <input name="reason"></label>' if decision == "reject" else ""
    return f'<form method="post">{reason}<button>{html.escape(decision)}</button></form>'


def _page(status: int, body: str) -> dict[str, Any]:
    text = body if body.startswith("<form") else html.escape(body)
    return {
        "statusCode": status,
        "headers": {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": "default-src 'none'; form-action 'self'",
        },
        "body": f'<!doctype html><html lang="en"><title>Price list</title><p>{text}</p></html>',
    }
