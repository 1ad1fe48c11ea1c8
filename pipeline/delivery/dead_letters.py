"""The dead-letter queue: poison records in an envelope that keeps them byte for byte, and the alert where the queue refuses."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.delivery.retry import until_done

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENVELOPE_VERSION = 1
# SendMessageBatch: ten messages, and 256 KiB for all of them together.
_MESSAGES_PER_BATCH = 10
_BYTES_PER_BATCH = 262_144
# A payload that is larger than a message may be is kept in S3, and the envelope points to it.
_INLINE_BYTES = 180_000
_LONGEST_SHARD = 512


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that cannot be processed, and all that is known of it. `kept_at` (s3://bucket/key) says where a payload is that was too large to be
    held; `place` says where in a file the record stands."""

    payload: bytes
    record_id: str | None
    error_name: str
    error_message: str
    stack: str
    attempts: int
    shard_id: str | None
    sequence_number: str | None
    partition_key: str | None
    kept_at: str | None = None
    place: Mapping[str, Any] | None = None

    def envelope(self, *, failed_at: str, source_function: str, request_id: str, payload_location: str | None) -> dict[str, Any]:
        """Returns the message's body. `payload` is base64; None where `payloadLocation` (s3://bucket/key) has it."""
        return {
            "envelopeVersion": ENVELOPE_VERSION,
            "payload": None if payload_location else base64.b64encode(self.payload).decode(),
            "payloadEncoding": "base64",
            "payloadLocation": payload_location,
            "recordId": self.record_id,
            "attempts": self.attempts,
            "errorName": self.error_name,
            "errorMessage": self.error_message[:4096],
            "stack": self.stack[:8192],
            "failedAt": failed_at,
            "sourceFunction": source_function,
            "requestId": request_id,
            "shardId": self.shard_id,
            "sequenceNumber": self.sequence_number,
            "partitionKey": self.partition_key,
            "place": self.place,
        }


def opened(envelope: Mapping[str, Any], s3: Any) -> DeadLetter:
    """Returns the letter that is in an envelope; its payload is read from S3 where it was too large for a message. Raises KeyError, TypeError or
    ValueError where a key is missing or has a value of another type."""
    location = envelope["payloadLocation"]
    if location:
        bucket, _, key = location.removeprefix("s3://").partition("/")
        payload = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    else:
        payload = base64.b64decode(envelope["payload"], validate=True)
    return DeadLetter(
        payload=payload,
        record_id=envelope["recordId"],
        error_name=envelope["errorName"],
        error_message=envelope["errorMessage"],
        stack=envelope["stack"],
        attempts=envelope["attempts"],
        shard_id=envelope["shardId"],
        sequence_number=envelope["sequenceNumber"],
        partition_key=envelope["partitionKey"],
        kept_at=location,
        place=envelope["place"],
    )


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """Where a function sends its dead letters. `bucket` takes the payloads that no message can hold."""

    sqs: Any
    s3: Any
    queue_url: str
    bucket: str
    source_function: str

    def send(self, letters: Sequence[DeadLetter], *, failed_at: str, request_id: str) -> list[DeadLetter]:
        """Sends all of them, in order; returns those that the queue did not take after retries. A queue that takes nothing of a batch is
        not asked for the next: the time is better spent on the alert."""
        unsent: list[DeadLetter] = []
        bodies = []
        for letter in letters:
            try:
                bodies.append(self._body(letter, failed_at, request_id))
            except Exception:  # noqa: BLE001 - whatever S3 answers, the caller must alert for this record
                unsent.append(letter)
                bodies.append("")
        sendable = [(letter, body) for letter, body in zip(letters, bodies, strict=True) if body]
        batches = _batches(sendable)
        for number, batch in enumerate(batches, 1):
            left = until_done(batch, self._send_batch)
            unsent += [letter for letter, _ in left]
            if len(left) == len(batch):
                unsent += [letter for later in batches[number:] for letter, _ in later]
                break
        return unsent

    def _body(self, letter: DeadLetter, failed_at: str, request_id: str) -> str:
        envelope = letter.envelope(
            failed_at=failed_at,
            source_function=self.source_function,
            request_id=request_id,
            payload_location=self.put_large(letter),
        )
        return json.dumps(envelope)

    def put_large(self, letter: DeadLetter) -> str | None:
        """Puts a payload that no message can hold into the bucket, and returns where (s3://bucket/key); None for a smaller one."""
        if letter.kept_at is not None or len(letter.payload) <= _INLINE_BYTES:
            return letter.kept_at
        shard = letter.shard_id or "direct"
        if len(shard) > _LONGEST_SHARD:
            # The id of an upload is longer than its key, which may be as long as a key of S3 can be.
            shard = hashlib.sha256(shard.encode()).hexdigest()
        # Without a place in a stream the content names it: one invocation may have several such letters.
        key = f"dead-letters/{shard}/{letter.sequence_number or hashlib.sha256(letter.payload).hexdigest()}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=letter.payload)
        return f"s3://{self.bucket}/{key}"

    def _send_batch(self, batch: Sequence[tuple[DeadLetter, str]]) -> list[tuple[DeadLetter, str]]:
        """Makes one SendMessageBatch. Returns the entries that the answer does not name as successful."""
        entries = [{"Id": str(number), "MessageBody": body} for number, (_, body) in enumerate(batch)]
        answer = self.sqs.send_message_batch(QueueUrl=self.queue_url, Entries=entries)
        succeeded = {entry["Id"] for entry in answer.get("Successful", [])}
        return [item for number, item in enumerate(batch) if str(number) not in succeeded]


def _batches(items: list[tuple[DeadLetter, str]]) -> list[list[tuple[DeadLetter, str]]]:
    batches: list[list[tuple[DeadLetter, str]]] = []
    size = 0
    for item in items:
        length = len(item[1].encode())
        if not batches or len(batches[-1]) == _MESSAGES_PER_BATCH or size + length > _BYTES_PER_BATCH:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size += length
    return batches
