"""A queue of alerts. An alert is an outcome for the records that it names; an alarm on a number names none and is only a sign."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from harness.accounting.probes.messages import read_messages
from harness.accounting.record import Observation, Outcome, identifier, payload_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulator.clients import Clients


@dataclass(frozen=True, slots=True)
class AlertProbe:
    """An alert is a JSON object with `records`: objects with `recordId`, `shardId`, `sequenceNumber`, `payload` (base64), of which
    one suffices. Raw, or in SNS's envelope."""

    clients: Clients
    queue_url: str

    def observe(self) -> Iterator[Observation]:
        """One observation per record that is named."""
        place = f"queue {self.queue_url.rsplit('/', 1)[-1]}"
        for _, body in read_messages(self.clients, self.queue_url):
            for record in _named(body):
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


def _named(body: str) -> list[dict[str, Any]]:
    try:
        message = from_json(body)
        if isinstance(message, dict) and "TopicArn" in message and isinstance(message.get("Message"), str):
            message = from_json(message["Message"])
    except ValueError:
        return []
    records = message.get("records") if isinstance(message, dict) else None
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
