"""The last resort: an alert that names the records which no queue would take."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.delivery.dead_letters import DeadLetter

ALERT_TYPE = "undelivered-records"
# A message may have 256 KiB; the names of this many records stay well below.
_RECORDS_PER_ALERT = 100


def alert_undelivered(
    sns: Any, topic_arn: str, letters: Sequence[DeadLetter], *, source_function: str, request_id: str
) -> list[DeadLetter]:
    """Publishes alerts that name the records, by id, sequence number and payload; returns those not published. The SDK has retried what
    fails here: the caller fails the invocation, and the mapping comes back with the records."""
    for start in range(0, len(letters), _RECORDS_PER_ALERT):
        chunk = letters[start : start + _RECORDS_PER_ALERT]
        try:
            sns.publish(TopicArn=topic_arn, Message=_message(chunk, source_function, request_id))
        except Exception as error:  # noqa: BLE001 - whatever it is, these records have not been told
            print(f"alert for {len(letters) - start} records failed: {error}")  # noqa: T201 - the function's log
            return list(letters[start:])
    return []


def _message(letters: Sequence[DeadLetter], source_function: str, request_id: str) -> str:
    return json.dumps(
        {
            "alertType": ALERT_TYPE,
            "sourceFunction": source_function,
            "requestId": request_id,
            "records": [
                {
                    "recordId": letter.record_id,
                    "shardId": letter.shard_id,
                    "sequenceNumber": letter.sequence_number,
                    "errorName": letter.error_name,
                    "payload": base64.b64encode(letter.payload).decode() if len(letter.payload) <= 1024 else None,
                }
                for letter in letters
            ],
        }
    )
