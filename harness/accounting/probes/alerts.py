"""A queue of alerts. An alert is an outcome for the records that it names; an alarm on a number names none and is only a sign."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from pydantic_core import from_json

from harness.accounting.probes.messages import read_messages
from harness.accounting.record import Observation, Outcome, identifier, payload_hash, upload_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients


@dataclass(frozen=True, slots=True)
class AlertProbe:
    """An alert is a JSON object, raw or in SNS's envelope, that names records or files:

    - `records`: objects with `recordId`, `shardId`, `sequenceNumber`, `payload` (base64), of which one suffices;
    - `alertType` "failed-file" and `upload` (key@version): all records of that upload;
    - Lambda's own, to the on-failure destination of a function that S3 invokes: the uploads of its `requestPayload`."""

    clients: Clients
    queue_url: str

    def observe(self) -> Iterator[Observation]:
        """One observation per record that is named."""
        place = f"queue {self.queue_url.rsplit('/', 1)[-1]}"
        for _, body in read_messages(self.clients, self.queue_url):
            message = _message(body)
            for upload in _uploads(message):
                yield Observation(Outcome.ALERTED, place, shard=upload)
            for record in _records(message):
                yield Observation(
                    Outcome.ALERTED,
                    place,
                    record_id=identifier(record.get("recordId")),
                    shard=identifier(record.get("shardId")),
                    sequence=identifier(record.get("sequenceNumber")),
                    payload_hash=_hash(record.get("payload")),
                )


def _hash(payload: Any) -> bytes | None:
    try:
        return payload_hash(base64.b64decode(payload, validate=True)) if payload else None
    except (ValueError, TypeError):
        # Not base64: it identifies nothing.
        return None


def _message(body: str) -> dict[str, Any]:
    try:
        message = from_json(body)
        if isinstance(message, dict) and "TopicArn" in message and isinstance(message.get("Message"), str):
            message = from_json(message["Message"])
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _records(message: dict[str, Any]) -> list[dict[str, Any]]:
    records = message.get("records")
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []


def _uploads(message: dict[str, Any]) -> list[str]:
    if message.get("alertType") == "failed-file" and isinstance(message.get("upload"), str):
        return [message["upload"]]
    try:
        objects = [record["s3"]["object"] for record in message["requestPayload"]["Records"]]
        return [upload_id(unquote_plus(item["key"]), item.get("versionId")) for item in objects]
    except (KeyError, TypeError, AttributeError):
        return []
