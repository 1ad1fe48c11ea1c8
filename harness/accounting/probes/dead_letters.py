"""A dead-letter queue of envelopes that carry the original payload."""

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
class DeadLetterProbe:
    """The envelope is a JSON object: `payload` (base64) or `payloadLocation` (s3://bucket/key), `recordId`, `shardId`,
    `sequenceNumber`; each may be missing."""

    clients: Clients
    queue_url: str

    def observe(self) -> Iterator[Observation]:
        """One observation per message; a message that is no envelope is seen without an identity."""
        place = f"queue {self.queue_url.rsplit('/', 1)[-1]}"
        for _, body in read_messages(self.clients, self.queue_url):
            try:
                envelope = from_json(body)
                payload = self._payload(envelope)
            except (ValueError, TypeError, AttributeError):
                yield Observation(Outcome.DEAD_LETTERED, place, content=body.encode())
                continue
            yield Observation(
                Outcome.DEAD_LETTERED,
                place,
                record_id=identifier(envelope.get("recordId")),
                shard=identifier(envelope.get("shardId")),
                sequence=identifier(envelope.get("sequenceNumber")),
                payload_hash=None if payload is None else payload_hash(payload),
            )

    def _payload(self, envelope: dict[str, Any]) -> bytes | None:
        location = envelope.get("payloadLocation")
        if location:
            bucket, _, key = location.removeprefix("s3://").partition("/")
            body: bytes = self.clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            return body
        encoded = envelope.get("payload")
        return None if encoded is None else base64.b64decode(encoded, validate=True)
