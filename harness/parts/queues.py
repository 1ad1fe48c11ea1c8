"""Reads a queue to its end without deleting: the messages stay there, for the person to look at, and for the alarms that count them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import urllib3

from harness.errors import UnknownVerdictError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.parts.ports import Context

# Long enough that no message is seen twice in one reading; a queue may delay a message as long.
_HIDDEN_S = 900
_DELAYED_S = 900
_POLL_S = 0.2
_BATCH = 10
_TELLS_WITHIN_S = 60
_LONG_POLL_S = 10


def read_messages(context: Context, queue_url: str) -> Iterator[dict[str, Any]]:
    """Yields every message, as ReceiveMessage returns it, and makes all of them visible again, however the reading ends. Waits for delayed messages.

    Raises UnknownVerdictError where messages stay hidden: another reader has them."""
    if queue_url.endswith(".fifo"):
        if context.clients.aws:
            raise UnknownVerdictError(
                f"the messages of {queue_url} cannot be read on AWS: of a group that is read it shows the first one alone"
            )
        yield from _peeked(context, queue_url)
        return
    sqs = context.clients("sqs")
    seen: dict[str, str] = {}
    try:
        yield from _messages(context, sqs, queue_url, seen)
    except BaseException:
        # What ended the reading is what is told.
        with suppress(Exception):
            _show(sqs, queue_url, list(seen.values()))
        raise
    _show(sqs, queue_url, list(seen.values()))


def _peeked(context: Context, queue_url: str) -> Iterator[dict[str, Any]]:
    """Yields the messages of a FIFO queue. ReceiveMessage shows no further message of a group while one is in flight; LocalStack tells all of them elsewhere.

    Raises UnknownVerdictError where the endpoint does not."""
    fields = {"QueueUrl": queue_url, "ShowInvisible": "true", "ShowDelayed": "true"}
    try:
        answer = urllib3.request(
            "GET",
            f"{context.endpoint}/_aws/sqs/messages",
            fields=fields,
            headers={"Accept": "application/json"},
            timeout=_TELLS_WITHIN_S,
        )
        found = (answer.json()["ReceiveMessageResponse"]["ReceiveMessageResult"] or {}).get("Message") or []
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError) as error:
        raise UnknownVerdictError(f"the messages of {queue_url} cannot be read: {error}") from error
    for message in found if isinstance(found, list) else [found]:
        told = message.get("MessageAttribute") or []
        attributes = {one["Name"]: one["Value"] for one in (told if isinstance(told, list) else [told])}
        yield {"MessageId": message["MessageId"], "Body": message["Body"], "MessageAttributes": attributes}


def _messages(context: Context, sqs: Any, queue_url: str, seen: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yields every message; `seen` gets the receipt handle of each by its id."""
    deadline = time.monotonic() + _DELAYED_S
    # AWS asks some of its servers for a short poll, and its counts are approximate: there a long poll must find nothing twice.
    is_aws = context.clients.aws and not context.endpoint
    empty = 0
    while True:
        context.check()
        answer = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=_BATCH, VisibilityTimeout=_HIDDEN_S, MessageAttributeNames=["All"],
            WaitTimeSeconds=_LONG_POLL_S if is_aws else 0,
        )  # fmt: skip
        messages = answer.get("Messages", [])
        new = [message for message in messages if message["MessageId"] not in seen]
        seen.update((message["MessageId"], message["ReceiptHandle"]) for message in messages)
        yield from new
        empty = 0 if messages else empty + 1
        if messages or (is_aws and empty == 1):
            continue
        counts = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
        hidden = int(counts["ApproximateNumberOfMessagesNotVisible"]) - len(seen)
        left = int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesDelayed"]) + max(hidden, 0)
        if left == 0:
            return
        if time.monotonic() > deadline:
            raise UnknownVerdictError(f"{left} messages of {queue_url} could not be read within {_DELAYED_S} s (delayed or hidden)")
        time.sleep(_POLL_S)


def _show(sqs: Any, queue_url: str, receipts: list[str]) -> None:
    for start in range(0, len(receipts), _BATCH):
        entries = [
            {"Id": str(place), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for place, receipt in enumerate(receipts[start : start + _BATCH])
        ]
        sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
