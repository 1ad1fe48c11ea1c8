"""The last resort: an alert with the records that no queue would take."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.delivery.dead_letters import DeadLetter, DeadLetterQueue

ALERT_TYPE = "undelivered-records"
# A message may have 256 KiB.
_BYTES_PER_ALERT = 255 * 1024


def alert_undelivered(
    sns: Any, topic_arn: str, letters: Sequence[DeadLetter], *, queue: DeadLetterQueue, request_id: str
) -> list[DeadLetter]:
    """Publishes alerts that name the records by id and sequence number, and keep their payloads; returns the records not published.

    A payload that no message can hold goes into the queue's bucket. The SDK has retried what fails here: the caller fails the
    invocation, and the mapping comes back with the records."""
    told = 0
    try:
        for documents in _batches(_document(letter, queue) for letter in letters):
            records = ",".join(documents)
            head = {"alertType": ALERT_TYPE, "sourceFunction": queue.source_function, "requestId": request_id}
            sns.publish(TopicArn=topic_arn, Message=f'{json.dumps(head)[:-1]}, "records": [{records}]}}')
            told += len(documents)
    except Exception as error:  # noqa: BLE001 - whatever it is, these records have not been told
        print(f"alert for {len(letters) - told} records failed: {error}")  # noqa: T201 - the function's log
    return list(letters[told:])


def _batches(documents: Iterator[str]) -> Iterator[list[str]]:
    """Yields documents that fit into one message together."""
    batch: list[str] = []
    size = 0
    for document in documents:
        length = len(document) + 1
        if batch and size + length > _BYTES_PER_ALERT - 1024:
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += length
    if batch:
        yield batch


def _document(letter: DeadLetter, queue: DeadLetterQueue) -> str:
    location = queue.put_large(letter)
    return json.dumps(
        {
            "recordId": letter.record_id,
            "shardId": letter.shard_id,
            "sequenceNumber": letter.sequence_number,
            "errorName": letter.error_name,
            "payload": None if location else b64encode(letter.payload).decode(),
            "payloadLocation": location,
        }
    )
