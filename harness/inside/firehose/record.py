"""A record on its way through a delivery stream."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4


def new_id() -> str:
    """Returns a record id, as PutRecord answers it."""
    return f"49{uuid4().int:054d}"[:56] + "000000"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record as it came in. `source` is the metadata of a Kinesis record; `arrived_at_s` is seconds since the epoch."""

    record_id: str
    data: bytes
    arrived_at_s: float
    source: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record as it is stored: its data, and what its prefix is made from."""

    incoming: Incoming
    data: bytes
    lambda_keys: dict[str, str] = field(default_factory=dict)
    query_keys: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that goes to the error prefix. `kind` is the error output type, such as processing-failed."""

    incoming: Incoming
    kind: str
    code: str
    message: str
    attempts: int
    lambda_arn: str | None = None

    def line(self, now_s: float) -> dict[str, Any]:
        """Returns what the object below the error prefix holds of the record.

        Source: https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html"""
        told: dict[str, Any] = {
            "attemptsMade": self.attempts,
            "arrivalTimestamp": round(self.incoming.arrived_at_s * 1000),
            "errorCode": self.code,
            "errorMessage": self.message,
            "attemptEndingTimestamp": round(now_s * 1000),
            "rawData": base64.b64encode(self.incoming.data).decode(),
        }
        return told | ({"lambdaArn": self.lambda_arn} if self.lambda_arn else {})
