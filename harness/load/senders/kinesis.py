"""PutRecords, with the refused entries sent again as AWS asks its producers to.

Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from harness.accounting.record import Answer, Record, Status
from harness.load.senders.sender import now_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.emulator.clients import Clients

MAX_RECORDS = 500
MAX_BYTES = 5 * 1024 * 1024
MAX_RECORD_BYTES = 1024 * 1024
ATTEMPTS = 12
FIRST_DELAY_S, LAST_DELAY_S = 0.05, 2.0
# Refusals that may end: the record was not taken, and may be later.
_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "KMSThrottlingException", "LimitExceededException"}
)


class KinesisSender:
    """Sends to one stream."""

    batch_size = MAX_RECORDS

    def __init__(self, clients: Clients, stream: str) -> None:
        # Without the SDK's own retries: it repeats requests whose answer was lost, which doubles records.
        self._kinesis = clients("kinesis", retries=False)
        self._stream = stream

    def send(self, records: Sequence[Record]) -> list[Answer]:
        """See Sender. A request that is refused as a whole is halved until the record that is to blame stands alone."""
        answers: dict[int, Answer] = {}
        for chunk in _chunks(records):
            self._send_chunk(chunk, answers)
        return [answers[record.number] for record in records]

    def close(self) -> None:
        """Nothing is held."""

    def _send_chunk(self, records: Sequence[Record], answers: dict[int, Answer]) -> None:
        offered_at_ms = now_ms()
        left = list(records)
        delay_s = FIRST_DELAY_S
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(delay_s)
                delay_s = min(delay_s * 2, LAST_DELAY_S)
            try:
                left, reason = self._put(left, offered_at_ms, answers)
            except ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                http_status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
                reason = f"{code}: {error.response.get('Error', {}).get('Message', '')}"
                if code in _THROTTLES:
                    continue
                if http_status >= 500:
                    self._settle(left, answers, Answer(Status.INDETERMINATE, offered_at_ms, detail=reason))
                    return
                if len(left) > 1:
                    middle = len(left) // 2
                    self._send_chunk(left[:middle], answers)
                    self._send_chunk(left[middle:], answers)
                    return
                self._settle(left, answers, Answer(Status.REJECTED, offered_at_ms, detail=reason))
                return
            except BotoCoreError as error:
                self._settle(left, answers, Answer(Status.INDETERMINATE, offered_at_ms, detail=f"{type(error).__name__}: {error}"))
                return
            if not left:
                return
        self._settle(left, answers, Answer(Status.REJECTED, offered_at_ms, detail=f"after {ATTEMPTS} attempts: {reason}"))

    def _put(self, records: list[Record], offered_at_ms: int, answers: dict[int, Answer]) -> tuple[list[Record], str]:
        """One PutRecords; returns the entries that were refused, and why."""
        entries = [{"Data": record.payload, "PartitionKey": record.partition_key} for record in records]
        response: dict[str, Any] = self._kinesis.put_records(StreamName=self._stream, Records=entries)
        refused, reason = [], ""
        for record, result in zip(records, response["Records"], strict=True):
            if result.get("SequenceNumber"):
                answers[record.number] = Answer(Status.ACKED, offered_at_ms, result["ShardId"], result["SequenceNumber"])
            else:
                refused.append(record)
                reason = f"{result.get('ErrorCode')}: {result.get('ErrorMessage')}"
        return refused, reason

    @staticmethod
    def _settle(records: Sequence[Record], answers: dict[int, Answer], answer: Answer) -> None:
        answers.update((record.number, answer) for record in records)


def _chunks(records: Sequence[Record]) -> list[list[Record]]:
    """Parts that keep to the limits of one request; a record that no request may hold is a part of its own, to be refused alone."""
    chunks: list[list[Record]] = []
    size = MAX_BYTES
    for record in records:
        length = len(record.payload) + len(record.partition_key.encode())
        if size + length > MAX_BYTES or len(chunks[-1]) == MAX_RECORDS or length > MAX_RECORD_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(record)
        size += MAX_BYTES if length > MAX_RECORD_BYTES else length
    return chunks
