"""Takes messages from a dead-letter queue and sends them to the queue where they are tried again. No message is lost on the way: each is deleted only
once the other queue has answered that it has it. Where that answer, or this process, is lost, a message is in both queues, and is sent again by the
next redrive: what takes it must be able to take it twice.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import jmespath
from botocore.exceptions import BotoCoreError, ClientError
from pydantic_core import from_json

from harness.backoff import TryAgainError, attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HIDDEN_S = 60
"""For how long a message that was received is hidden from others: from one that is moved to the next."""

# ReceiveMessage and the batches: ten messages, and 256 KiB for what is sent.
_BATCH = 10
_BATCH_BYTES = 262_144
_POLL_S = 0.2
_TRACE = "AWSTraceHeader"
_SEND_ATTEMPTS = 5
# The envelope of the sample, and those of Lambda's destinations and dead-letter queues and of EventBridge's.
_ERROR = jmespath.compile("errorName || responsePayload.errorType || requestContext.condition")
_ERROR_ATTRIBUTES = ("ErrorMessage", "ERROR_CODE", "ErrorCode")
_RECORD = jmespath.compile("recordId")
_PLACE = jmespath.compile("[shardId, sequenceNumber]")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of a dead-letter queue. `error` is empty where it does not say what went wrong."""

    message_id: str
    body: str
    attributes: Mapping[str, Any]
    trace: str
    """The X-Ray header that it was sent with; empty where it had none."""
    receipt: str
    sent_at_s: float
    received: int
    error: str
    ids: tuple[str, ...]
    """By which it may be chosen: the message's id, the record's, and shard and sequence number with a slash between."""

    @property
    def size(self) -> int:
        """Returns how many bytes count towards a message's and a batch's limit."""
        parts = [self.body]
        for name, value in self.attributes.items():
            parts += [name, value["DataType"], value.get("StringValue") or value.get("BinaryValue", b"").decode("latin-1")]
        return sum(len(part.encode()) for part in parts)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which letters: those of one of the `errors` and with one of the `ids` (empty: of any), sent within a time (seconds since the epoch)."""

    errors: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    since_s: float = 0.0
    until_s: float = float("inf")

    def has(self, letter: Letter) -> bool:
        """Returns whether the letter is one of them."""
        return (
            (not self.errors or letter.error in self.errors)
            and (not self.ids or not self.ids.isdisjoint(letter.ids))
            and self.since_s <= letter.sent_at_s < self.until_s
        )


@dataclass
class DeadLetterQueue:
    """A queue that is read. `check` raises where the emulator is gone. Close it: what was received and not deleted is visible again then."""

    sqs: Any
    url: str
    check: Callable[[], None] = lambda: None
    hidden_s: int = HIDDEN_S
    elsewhere: int = 0
    """How many messages were not seen by the end: another reader had them."""
    undeleted: int = 0
    """How many messages were sent on and could not be deleted: they are in both queues."""
    newer: int = 0
    """How many messages came after it began, and were left there."""
    _held: dict[str, str] = field(default_factory=dict)
    _deleted: set[str] = field(default_factory=set)
    _renew_at: float = 0.0

    def batches(self) -> Iterator[list[Letter]]:
        """Yields each message once, up to ten at a time, until all that were there when it began have come. Waits for those that another
        reader has hidden: a redrive that was killed leaves such."""
        began_s: float | None = None
        seen: set[str] = set()
        repeated = 0
        deadline = time.monotonic() + self.hidden_s + _BATCH
        self._renew_at = time.monotonic() + self.hidden_s / 2
        while True:
            self.check()
            if time.monotonic() > self._renew_at:
                # Else they come again before those that have not been seen.
                self._renew_at = time.monotonic() + self.hidden_s / 2
                self._hide(self.hidden_s)
            letters, now_s = self._received()
            # By the clock of SQS, which tells full seconds.
            began_s = began_s or now_s + 1
            # A receipt is of no use once its time was over and the message came again.
            self.delete([letter for letter in letters if letter.message_id in self._deleted])
            letters = [letter for letter in letters if letter.message_id not in self._deleted]
            self._held |= {letter.message_id: letter.receipt for letter in letters}
            # What is moved may fail and come back meanwhile: it is newer.
            fresh = [letter for letter in letters if letter.message_id not in seen and letter.sent_at_s <= began_s]
            self.newer += sum(letter.message_id not in seen and letter.sent_at_s > began_s for letter in letters)
            repeated += sum(letter.message_id in seen for letter in letters)
            seen |= {letter.message_id for letter in letters}
            if fresh:
                repeated = 0
                yield fresh
                deadline = time.monotonic() + self.hidden_s + _BATCH
            elif repeated > len(self._held):
                # Their time is over and they come anew: a whole round without a message that is new.
                self.elsewhere = self._hidden() - len(self._held)
                return
            elif not letters or time.monotonic() > deadline:
                self.elsewhere = self._hidden() - len(self._held)
                if self.elsewhere <= 0 or time.monotonic() > deadline:
                    return
                time.sleep(_POLL_S)

    def delete(self, letters: Sequence[Letter]) -> None:
        """Deletes the letters (ten at most). What SQS does not delete stays, is counted, and is there for the next redrive."""
        left = list(letters)
        if not left:
            return
        with contextlib.suppress(TryAgainError):
            for attempt in attempts(_SEND_ATTEMPTS):
                with attempt:
                    answer = self.sqs.delete_message_batch(QueueUrl=self.url, Entries=_entries(left))
                    gone = {int(done["Id"]) for done in answer.get("Successful", [])}
                    for place in gone:
                        self._held.pop(left[place].message_id, None)
                        self._deleted.add(left[place].message_id)
                    left = [letter for place, letter in enumerate(left) if place not in gone]
                    if left:
                        raise TryAgainError("not deleted")
        self.undeleted += len(left)

    def close(self) -> None:
        """Makes visible what was received and not deleted."""
        self._hide(0)
        self._held.clear()

    def _hide(self, seconds: int) -> None:
        """Hides what is held for so long from now on."""
        held = list(self._held.values())
        for start in range(0, len(held), _BATCH):
            entries = [
                {"Id": str(place), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                for place, receipt in enumerate(held[start : start + _BATCH])
            ]
            self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def _received(self) -> tuple[list[Letter], float]:
        """Returns some letters, and the time (seconds since the epoch) that SQS has."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=self.hidden_s,
            # A look without waiting asks some of SQS's servers only, and may find nothing where there is something.
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            AttributeNames=["SentTimestamp", "ApproximateReceiveCount", _TRACE],
        )
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return [_letter(message) for message in answer.get("Messages", [])], now.timestamp()

    def _hidden(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        counts = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in counts.values())


def send(sqs: Any, url: str, letters: Sequence[Letter]) -> tuple[list[Letter], str]:
    """Sends the letters as they are, in batches that SQS takes. Returns those that the queue has answered to have, and why the others were
    refused, after some attempts."""
    sent: list[Letter] = []
    reason = ""
    for batch in _batches(letters):
        left = list(batch)
        try:
            for attempt in attempts(_SEND_ATTEMPTS):
                with attempt:
                    _attempt(sqs, url, left, sent)
        except (TryAgainError, ClientError, BotoCoreError) as error:
            # What was taken until then must be deleted, whatever happened to the others.
            reason = str(error)
    return sent, reason


def _attempt(sqs: Any, url: str, left: list[Letter], sent: list[Letter]) -> None:
    """Moves from `left` to `sent` what the queue takes. Raises TryAgainError where that is not all."""
    entries = [
        {
            "Id": str(place),
            "MessageBody": letter.body,
            "MessageAttributes": dict(letter.attributes),
            "MessageSystemAttributes": {_TRACE: {"DataType": "String", "StringValue": letter.trace}} if letter.trace else {},
        }
        for place, letter in enumerate(left)
    ]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    taken = {int(done["Id"]) for done in answer.get("Successful", [])}
    sent += [letter for place, letter in enumerate(left) if place in taken]
    left[:] = [letter for place, letter in enumerate(left) if place not in taken]
    if left:
        failed: dict[str, str] = next(iter(answer.get("Failed", [])), {})
        raise TryAgainError(f"{failed.get('Code', 'no answer')}: {failed.get('Message', '')}")


def _letter(message: dict[str, Any]) -> Letter:
    attributes = message.get("MessageAttributes", {})
    try:
        document = from_json(message["Body"])
    except ValueError:
        document = None
    found = _ERROR.search(document)
    if found is None:
        found = next((attributes[name].get("StringValue") for name in _ERROR_ATTRIBUTES if name in attributes), None)
    place = _PLACE.search(document) if isinstance(document, dict) else None
    ids = [message["MessageId"], _RECORD.search(document), "/".join(map(str, place)) if place and all(place) else None]
    return Letter(
        message["MessageId"],
        message["Body"],
        attributes,
        message["Attributes"].get(_TRACE, ""),
        message["ReceiptHandle"],
        int(message["Attributes"]["SentTimestamp"]) / 1000,
        int(message["Attributes"].get("ApproximateReceiveCount", 1)),
        str(found) if found is not None else "",
        tuple(str(each) for each in ids if each is not None),
    )


def _entries(letters: Sequence[Letter]) -> list[dict[str, str]]:
    return [{"Id": str(place), "ReceiptHandle": letter.receipt} for place, letter in enumerate(letters)]


def _batches(letters: Sequence[Letter]) -> Iterator[list[Letter]]:
    """Yields the letters in lists that one SendMessageBatch takes."""
    batch: list[Letter] = []
    for letter in letters:
        if batch and (len(batch) == _BATCH or sum(each.size for each in batch) + letter.size > _BATCH_BYTES):
            yield batch
            batch = []
        batch.append(letter)
    if batch:
        yield batch
