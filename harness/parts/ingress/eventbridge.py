"""PutEvents to an event bus.

Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.accounting.record import Answer, Record, Status
from harness.parts.batching import BatchSender, Limits, Result, about_record
from harness.parts.ports import Context, Ingress

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = Limits(records=10, batch_bytes=256 * 1024, record_bytes=256 * 1024)
# Of an entry's errors, these name the service's side: the entry may be taken later.
_LATER = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})


class EventBridge(Ingress):
    """Puts each record on `bus` as the `detail` of an event; the payload must be a JSON object."""

    shareable: ClassVar[bool] = True

    bus: str = "default"
    source: str
    detail_type: str

    def open(self, context: Context) -> BatchSender:
        """Returns the sender."""
        client = context.clients("events", retries=False)

        def put(records: Sequence[Record], offered_at_ms: int) -> list[Result]:
            entries = [
                {"EventBusName": self.bus, "Source": self.source, "DetailType": self.detail_type, "Detail": _text(record)}
                for record in records
            ]
            return [_result(entry, offered_at_ms) for entry in client.put_events(Entries=entries)["Entries"]]

        return BatchSender(put, LIMITS, lambda record: len(record.payload) + len(self.source) + len(self.detail_type))


def _text(record: Record) -> str:
    return record.payload.decode(errors="replace")


def _result(entry: dict[str, str], offered_at_ms: int) -> Result:
    if entry.get("EventId"):
        return Answer(Status.ACKED, offered_at_ms, detail=f"event {entry['EventId']}")
    reason = f"{entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
    if entry.get("ErrorCode") in _LATER:
        return reason
    return Answer(Status.REJECTED, offered_at_ms, detail=reason, about_record=about_record(entry.get("ErrorCode", "")))
