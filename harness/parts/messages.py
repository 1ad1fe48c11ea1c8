"""Batch entries of SQS and SNS, and what their answers say of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.accounting.record import Answer, Record, Status
from harness.parts.batching import about_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.parts.batching import Result


def text_of(record: Record) -> str:
    """Returns the payload as text, which a message must be: bytes that are not UTF-8 are replaced."""
    return record.payload.decode(errors="replace")


def sent(records: Sequence[Record], offered_at_ms: int, send: Callable[[Sequence[Record]], list[Result]]) -> list[Result]:
    """Sends those records whose bytes are text, and returns a result for each record: the others are refused here, as an SDK refuses them."""
    texts = [record for record in records if _is_text(record.payload)]
    answers = iter(send(texts) if texts else ())
    refused = Answer(Status.REJECTED, offered_at_ms, detail="a message is text, and these bytes are not UTF-8")
    return [next(answers) if _is_text(record.payload) else refused for record in records]


def _is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def entry(record: Record, entry_id: str, body: str, *, fifo: bool) -> dict[str, Any]:
    """Returns a batch entry with the payload as `body`.

    In a FIFO queue or topic the partition key is the message group, and the record's id the deduplication id."""
    plain = {"Id": entry_id, body: text_of(record)}
    return {**plain, "MessageGroupId": record.key[:128], "MessageDeduplicationId": record.record_id[:128]} if fifo else plain


def results(response: dict[str, Any], count: int, offered_at_ms: int) -> list[Result]:
    """Returns what a batch answer says of each of `count` entries; `SenderFault` says that the service will never take it."""
    acked = {item["Id"]: item for item in response.get("Successful", [])}
    failed = {item["Id"]: item for item in response.get("Failed", [])}
    found: list[Result] = []
    for place in map(str, range(count)):
        if place in acked:
            found.append(Answer(Status.ACKED, offered_at_ms, detail=f"message {acked[place].get('MessageId', '')}"))
            continue
        item = failed.get(place, {})
        reason = f"{item.get('Code', 'no answer for this entry')}: {item.get('Message', '')}"
        refused = Answer(Status.REJECTED, offered_at_ms, detail=reason, about_record=about_record(item.get("Code", "")))
        found.append(refused if item.get("SenderFault") else reason)
    return found
