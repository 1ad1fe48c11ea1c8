"""Requests to a live emulator, with sockets: any method, path, query, headers and body, whole or cut off, and its control routes with their token."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import urllib3

from harness.emulator import tokens
from tests.hostile.mutations import of_bytes, of_document

if TYPE_CHECKING:
    import random

_SIGNED = "AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
_SERVICES = [
    "s3",
    "sqs",
    "sns",
    "kinesis",
    "dynamodb",
    "lambda",
    "states",
    "events",
    "cloudformation",
    "monitoring",
    "execute-api",
    "iam",
    "firehose",
]
_TARGETS = [
    "Kinesis_20131202.PutRecords",
    "DynamoDB_20120810.PutItem",
    "AmazonSQS.SendMessage",
    "AWSStepFunctions.StartExecution",
    "x.y",
    "",
    "AWSEvents.PutRule",
]
_PATHS = [
    "/", "/bucket/key", "/000000000000/queue", "/2015-03-31/functions/f/invocations", "/_aws/execute-api/x/y/z", "/_localstack/health", "/_aws/ses", "/restapis",
    "//_pipeproof/faults", "/%00", "/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/" + "a" * 5000, "*", "http://evil.example/", "", "/\xff",
]  # fmt: skip
_ROUTES = ["faults", "journal", "batches", "writes", "permissions", "schedules", "activity", "emulator", "accounts"]
_BODY = {
    "Records": [{"Data": "eA==", "PartitionKey": "k"}],
    "StreamName": "s",
    "faults": [{"kind": "throttle", "service": "s3", "calls": "1"}],
}


class Requests:
    """Cases for an emulator at an endpoint; its log says what went wrong in it."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        parts = urlsplit(endpoint)
        self._address = (parts.hostname, parts.port)

    def requests(self, rng: random.Random) -> None:
        """Whatever comes on a connection, the next request is answered."""
        service = rng.choice(_SERVICES)
        body = of_bytes(rng, json.dumps(of_document(rng, _BODY)).encode()) if rng.random() < 0.8 else b""
        headers = [
            (
                "Host",
                rng.choice(
                    [
                        f"{self._address[0]}:{self._address[1]}",
                        "evil.example",
                        "",
                        "localhost",
                        "bucket.s3.localhost.localstack.cloud",
                    ]
                ),
            ),
            ("Content-Length", rng.choice([str(len(body)), str(len(body)), "-1", "x", "99"])),
            (
                "Content-Type",
                rng.choice(
                    ["application/x-amz-json-1.1", "application/x-www-form-urlencoded", "text/plain", "", "multipart/form-data"]
                ),
            ),
            (
                "Authorization",
                rng.choice(
                    [_SIGNED.format(account=f"{rng.randrange(10):012d}", service=service), "x", "AWS4-HMAC-SHA256 Credential="]
                ),
            ),
            ("X-Amz-Target", rng.choice(_TARGETS)),
            ("Connection", "close"),
        ]
        query = rng.choice(
            [
                "",
                "?Action=CreateQueue&QueueName=x",
                "?Action=" + "x" * 300,
                "?%",
                "?a=b&a=b",
                "?list-type=2&max-keys=-1",
                "?X-Amz-Signature=1",
            ]
        )
        method = rng.choice(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW", ""])
        head = f"{method} {rng.choice(_PATHS)}{query} HTTP/1.1\r\n"
        chosen = [header for header in headers if rng.random() < 0.8]
        request = (head + "".join(f"{name}: {value}\r\n" for name, value in chosen) + "\r\n").encode("latin-1") + body
        if rng.random() < 0.3:
            request = of_bytes(rng, request)
        with socket.create_connection(self._address, timeout=5) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(1 << 16):
                    pass
            except ConnectionError:
                pass
        self._is_well()

    def control_routes(self, rng: random.Random) -> None:
        """A control route refuses what it does not understand, with a 4xx."""
        url = f"{self._endpoint}/_pipeproof/{rng.choice(_ROUTES)}"
        values = ["000000000000", "", "x", "1" * 50, "-1", "\0", "💥", "'", "999999999999", str(10**30)]
        query = "&".join(
            f"{name}={quote(rng.choice(values))}" for name in ("account", "run", "mode", "arn", "offset") if rng.random() < 0.6
        )
        document = of_document(
            rng,
            rng.choice(
                [_BODY["faults"], _BODY, [{"stream": "s", "function": "f", "batches": []}], [{"place": "b/k", "order": []}]]
            ),
        )
        body = json.dumps(document).encode() if rng.random() < 0.9 else rng.randbytes(20)
        headers = {**tokens.headers(url), "Content-Type": rng.choice(["application/json", "text/plain"])}
        method = rng.choice(["GET", "PUT", "POST", "DELETE"])
        answer = urllib3.request(method, f"{url}?{query}", body=body, headers=headers, retries=False, timeout=5)
        assert answer.status < 500, f"{method} {url}?{query} with {body[:300]!r}: {answer.status} {answer.data[:300]!r}"

    def _is_well(self) -> None:
        answer = urllib3.request("GET", f"{self._endpoint}/_localstack/health", retries=False, timeout=5)
        assert answer.status == 200
