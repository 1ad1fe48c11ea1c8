"""POST /events: checks one event and puts it on the stream, byte for byte as it came.

202 {"accepted": true}; 400 with details for what is not an event or too large for the stream; 503 with Retry-After where the stream
refused it for now; 504 where it is not known whether the stream took it: repeating it could double the event.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.clickstream import transforms

logger = Logger(service="clickstream-ingest")
# API Gateway gives up after 29 s: better to say 503 in time than to be cut off with the outcome unknown.
# One attempt: the SDK would also repeat a request whose answer was lost, and so double the event.
kinesis = boto3.client("kinesis", config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10))

STREAM = os.environ["STREAM_NAME"]
EVENT_TYPES = frozenset(os.environ["EVENT_TYPES"].split(","))
MAX_RECORD_BYTES = 1024 * 1024
RETRY_AFTER_S = 1


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers as an API Gateway proxy integration (REST, payload 1.0)."""
    body = event.get("body") or ""
    payload = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")
    parsed = transforms.parse(payload, EVENT_TYPES)
    if isinstance(parsed, transforms.Rejected):
        return _response(400, {"accepted": False, "error": parsed.error, "details": parsed.message})
    partition_key = parsed.user_id
    if len(payload) + len(partition_key.encode()) > MAX_RECORD_BYTES:
        return _response(400, {"accepted": False, "error": "EventTooLarge", "details": f"limit: {MAX_RECORD_BYTES} bytes"})
    try:
        kinesis.put_record(StreamName=STREAM, Data=payload, PartitionKey=partition_key)
    except (ClientError, BotoCoreError) as error:
        logger.warning("stream did not take the event", extra={"event_id": parsed.event_id, "error": str(error)})
        refused = isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500
        if not refused:
            return _response(504, {"accepted": False, "error": "NoAnswer", "details": "the event may have been accepted"})
        answer = {"accepted": False, "error": "StreamUnavailable", "details": "try again later"}
        return _response(503, answer, {"Retry-After": str(RETRY_AFTER_S)})
    return _response(202, {"accepted": True})


def _response(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **(headers or {})},
        "body": json.dumps(body),
    }
