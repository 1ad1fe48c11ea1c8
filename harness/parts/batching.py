"""Requests that take many records and answer for each of them: PutRecords, SendMessageBatch, PublishBatch, PutEvents and the like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from harness.accounting.record import Answer, Record, Status, now_ms
from harness.backoff import ATTEMPTS, TryAgainError, attempts
from harness.parts.units import Offer, Unit, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

THROTTLES = frozenset(
    {
        "KMSThrottlingException", "LimitExceededException", "ProvisionedThroughputExceededException", "RequestLimitExceeded",
        "RequestThrottled", "ServiceUnavailable", "ServiceUnavailableException", "SlowDown", "Throttling", "ThrottlingException",
    }
)  # fmt: skip
"""Error codes with which a service says that it did not take the request, and that it may take it later."""


# The codes with which services refuse what a record holds. Any other code (no such stream, no permission, a wrong signature) says nothing
# about the record.
_ABOUT_THE_RECORD = re.compile(
    r"Validation|Missing(Required)?Parameter|Invalid(Parameter|Argument|Message|Record|Request|Event|Item)|Malformed|TooL(arge|ong)|Serialization|"
    r"ItemCollectionSizeLimitExceeded|ConditionalCheckFailed"
)


def about_record(code: str) -> bool:
    """Returns whether a service that refuses with this error code has found a fault in the record itself."""
    return _ABOUT_THE_RECORD.search(code) is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold: so many records, so many bytes in all, and so many bytes of a single record."""

    records: int
    batch_bytes: int
    record_bytes: int


Result = Answer | str
"""What a request says of one record: its answer, or why the service refused it for now."""


class BatchSender:
    """Sends batches with `put(records, offered_at_ms)`, which returns a Result for each record, in their order.

    Sends refused records again, and a throttled request too. A request that is refused as a whole is halved, until the record that is
    to blame stands alone and is rejected. `size` returns the bytes that a record takes in a request, `put_at` what the request writes for
    it, where a probe may see that (see Answer)."""

    def __init__(
        self,
        put: Callable[[Sequence[Record], int], list[Result]],
        limits: Limits,
        size: Callable[[Record], int],
        put_at: Callable[[Record], str | None] | None = None,
    ) -> None:
        self._put = put
        self._put_at = put_at
        self._limits = limits
        self._size = size
        self.batch_size = limits.records

    def send(self, units: Sequence[Unit]) -> Iterator[Offer]:
        """See Sender."""
        for batch in self._batches(records(units)):
            answers = dict[int, Answer]()
            self._send(list(enumerate(batch)), answers)
            yield from ((record, self._placed(record, answers[place])) for place, record in enumerate(batch))

    def close(self) -> None:
        """Does nothing: a boto3 client holds no resource of the run."""

    def _placed(self, record: Record, answer: Answer) -> Answer:
        """Returns the answer with what the request may have written."""
        if self._put_at is None or answer.status is Status.REJECTED:
            return answer
        return answer._replace(put_at=self._put_at(record))

    def _send(self, batch: list[tuple[int, Record]], answers: dict[int, Answer]) -> None:
        offered_at_ms = now_ms()
        try:
            for attempt in attempts():
                with attempt:
                    self._attempt(batch, offered_at_ms, answers)
        except TryAgainError as error:
            refused = f"after {ATTEMPTS} attempts: {error.reason}"
            _settle(batch, answers, Answer(Status.REJECTED, offered_at_ms, detail=refused, about_record=False))

    def _attempt(self, batch: list[tuple[int, Record]], offered_at_ms: int, answers: dict[int, Answer]) -> None:
        """Makes one request, notes the answers, and leaves in `batch` what may be taken later: then it raises TryAgainError."""
        try:
            results = self._put([record for _, record in batch], offered_at_ms)
        except ClientError as error:
            detail, code = explained(error), error.response.get("Error", {}).get("Code", "")
            if code in THROTTLES:
                raise TryAgainError(detail) from error
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
                _settle(batch, answers, Answer(Status.INDETERMINATE, offered_at_ms, detail=detail))
            else:
                self._refused(
                    batch, answers, Answer(Status.REJECTED, offered_at_ms, detail=detail, about_record=about_record(code))
                )
            return
        except ParamValidationError as error:
            # The client refuses what the service would.
            self._refused(batch, answers, Answer(Status.REJECTED, offered_at_ms, detail=f"{type(error).__name__}: {error}"))
            return
        except BotoCoreError as error:
            _settle(batch, answers, Answer(Status.INDETERMINATE, offered_at_ms, detail=f"{type(error).__name__}: {error}"))
            return
        refused, reason = [], ""
        for item, result in zip(batch, results, strict=True):
            if isinstance(result, Answer):
                answers[item[0]] = result
            else:
                refused.append(item)
                reason = result
        if refused:
            # The next attempt must send these alone: what was taken would be doubled.
            batch[:] = refused
            raise TryAgainError(reason)

    def _refused(self, batch: list[tuple[int, Record]], answers: dict[int, Answer], answer: Answer) -> None:
        """Tries the halves of a batch that was refused as a whole: only one of its records need be at fault."""
        if len(batch) == 1:
            _settle(batch, answers, answer)
            return
        middle = len(batch) // 2
        self._send(batch[:middle], answers)
        self._send(batch[middle:], answers)

    def _batches(self, of: Iterable[Record]) -> Iterator[list[Record]]:
        """Yields batches within the limits. A record that no request may hold is a batch of one, to be refused alone."""
        batch: list[Record] = []
        size = 0
        for record in of:
            length = self._size(record)
            too_large = length > self._limits.record_bytes
            if batch and (too_large or size + length > self._limits.batch_bytes or len(batch) == self._limits.records):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += self._limits.batch_bytes if too_large else length
        if batch:
            yield batch


def explained(error: ClientError) -> str:
    """Returns the service's error code and message."""
    of = error.response.get("Error", {})
    return f"{of.get('Code', '')}: {of.get('Message', '')}"


def _settle(batch: Iterable[tuple[int, Record]], answers: dict[int, Answer], answer: Answer) -> None:
    answers.update((place, answer) for place, _ in batch)
