"""A queue of alerts. An alert is an outcome for the records that it names; an alarm on a number names none and is only a sign."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from harness.accounting.probes.messages import read_messages
from harness.accounting.record import Observation, Outcome, payload_hash

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
                payload = record.get("payload")
                yield Observation(
                    Outcome.ALERTED,
                    place,
                    record_id=record.get("recordId"),
                    shard=record.get("shardId"),
                    sequence=record.get("sequenceNumber"),
                    payload_hash=payload_hash(base64.b64decode(payload)) if payload else None,
                )


def _named(body: str) -> list[dict[str, Any]]:
    try:
        message = from_json(body)
        if isinstance(message, dict) and "TopicArn" in message and isinstance(message.get("Message"), str):
            message = from_json(message["Message"])
    except ValueError:
        return []
    records = message.get("records") if isinstance(message, dict) else None
    return [record for record in records if isinstance(record, dict)] if isinstance(records, list) else []
