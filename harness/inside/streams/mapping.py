"""Event source mappings on a stream: one ordered consumer per shard and lane, checkpointed after the batch.

Takes the place of LocalStack's pollers, which poll one shard at a time, move their iterators before the batch is done, do not bisect, do
not follow resharding, forget where they were when a mapping is disabled, and drop a batch whose failure destination cannot be reached.
The rules are those of https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html, …/services-ddb-params.html and
…/kinesis-on-failure-destination.html.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
import weakref
import zlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError, PartialBatchFailureError
from localstack.services.lambda_.event_source_mapping.pollers.poller import get_batch_item_failures
from localstack.services.lambda_.event_source_mapping.senders.sender import PartialFailureSenderError, SenderError
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.utils.aws.arns import parse_arn
from localstack.utils.event_matcher import matches_event

from harness.inside.lambda_.function_metrics import record_iterator_age
from harness.inside.streams import windows
from harness.inside.streams.checkpoints import of_mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.inside.streams.checkpoints import Place, Window

LOG = logging.getLogger(__name__)

MAX_BATCH_BYTES = 6 * 1024 * 1024 - 64
"""The limit of an invocation's payload, without the braces around its records."""
# AWS waits longer between late attempts. A test of ten attempts would wait most of a minute.
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 2.0
_ENDLESS = 5
"""So often a batch is tried before it counts as one that is tried again and again."""
_SCAN = 1000
"""How many records of a shard a lane looks through at a time."""

_live: weakref.WeakSet[StreamMapping] = weakref.WeakSet()


def live_mappings() -> list[StreamMapping]:
    """Returns all event source mappings on streams of this process that are enabled."""
    return [mapping for mapping in list(_live) if not mapping.closed]


class StreamMapping(ABC):
    """One mapping. A subclass also extends a poller of LocalStack, and says what a shard is and how its records become events."""

    # What LocalStack's pollers bring.
    esm_uuid: str
    source_arn: str
    stream_parameters: Any
    processor: Any
    filter_patterns: list[Any]
    partner_resource_arn: Any
    _is_shutdown: threading.Event

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        arn = parse_arn(self.source_arn)
        self.account = arn["account"]
        self.region = arn["region"]
        function = parse_arn(self.processor.sender.target_arn)
        self._mappings = lambda_stores[function["account"]][function["region"]].event_source_mappings
        self.checkpoints = of_mapping(self.esm_uuid)
        self._consumers: dict[tuple[str, int], threading.Thread] = {}
        self._attempts: dict[tuple[str, int], int] = {}
        """How often each consumer of a shard has tried its batch in vain, by its thread."""
        _live.add(self)

    # What a subclass says.

    @abstractmethod
    def stream_shards(self) -> Sequence[Any]:
        """Returns the stream's shards, parents before their children; each is a RecordLog with `shard_id`."""

    @abstractmethod
    def parents(self, shard: Any) -> set[str]:
        """Returns the ids of the shards that are to be read before this one."""

    @abstractmethod
    def key_of(self, record: Any) -> str:
        """Returns what records are ordered by, where a shard has several lanes."""

    @abstractmethod
    def size_of(self, record: Any) -> int:
        """Returns the most bytes that the record takes in an event."""

    @abstractmethod
    def events(self, shard_id: str, batch: Sequence[Any]) -> list[dict[str, Any]]:
        """Returns the batch as Lambda events, without their source."""

    @abstractmethod
    def view(self, event: dict[str, Any]) -> dict[str, Any]:
        """Returns what filter patterns are matched with. The event itself is not touched."""

    def told_size(self, shard: Any, index: int, batch_size: int) -> int | None:
        """Returns how many records the next batch had in the run that this one repeats; None in any other run."""
        del shard, index, batch_size
        return None

    # What LocalStack's worker and the gauge ask.

    @property
    def closed(self) -> bool:
        """Returns whether the mapping was disabled, updated or deleted."""
        return bool(self._is_shutdown.is_set())

    def configured(self, name: str, default: Any = None) -> Any:
        """Returns a parameter of the mapping, those included that LocalStack does not hand on to its pollers."""
        return self._mappings.get(self.esm_uuid, {}).get(name) or default

    def behind(self) -> Iterator[tuple[str, int]]:
        """Yields per shard how many records the mapping has not finished with, those in a running invocation included. An open window counts
        as one more."""
        for shard in self.stream_shards():
            places = self.checkpoints.of(shard.shard_id)
            first = min((place.index for place in places), default=shard.horizon)
            yield shard.shard_id, shard.tip - max(first, shard.horizon) + any(place.window for place in places)

    def is_endless(self, shard_id: str) -> bool:
        """Returns whether each consumer of a shard has tried its batch several times, and never gives it up: until something else changes, nothing does."""
        limits = (self.stream_parameters.get(name, -1) for name in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds"))
        attempts = [tried for (shard, _), tried in list(self._attempts.items()) if shard == shard_id]
        consumers = sum(shard == shard_id for shard, _ in list(self._consumers))
        return consumers == len(attempts) > 0 and min(attempts) >= _ENDLESS and all(limit < 0 for limit in limits)

    def poll_events(self) -> None:
        """Gives every shard whose parents are read its consumers. LocalStack's worker calls this again and again."""
        factor = 1 if self._window_s else self.configured("ParallelizationFactor", 1)
        for shard in self.stream_shards():
            if not self.parents(shard) <= self.checkpoints.done or (shard.shard_id, 0) in self._consumers:
                continue
            self.checkpoints.forget_lanes(shard.shard_id, factor)
            start = self._start(shard)
            for lane in range(factor):
                place = self.checkpoints.place(shard.shard_id, lane, start)
                consumer = threading.Thread(
                    target=self._consume, args=(shard, lane, factor, place), name=f"esm-{shard.shard_id}", daemon=True
                )
                self._consumers[shard.shard_id, lane] = consumer
                consumer.start()

    def _start(self, shard: Any) -> int:
        position = self.stream_parameters["StartingPosition"]
        if position == "LATEST" and not self.parents(shard):
            return int(shard.tip)
        if position == "AT_TIMESTAMP":
            start = self.configured("StartingPositionTimestamp", 0)
            return int(shard.index_at(start.timestamp() if hasattr(start, "timestamp") else float(start)))
        return int(shard.horizon)

    @property
    def _window_s(self) -> int:
        return int(self.configured("TumblingWindowInSeconds", 0))

    # A consumer.

    def _consume(self, shard: Any, lane: int, factor: int, place: Place) -> None:
        while not place.reading.acquire(timeout=1):
            if self.closed:
                return
        try:
            while not self.closed:
                if place.window and self._window_is_over(shard, place):
                    self._end_window(shard.shard_id, place)
                elif not shard.wait_for(place.index, timeout_s=self._longest_wait_s(place)):
                    if not shard.is_open and not place.window:
                        self._lane_is_done(shard, factor)
                        return
                else:
                    self._take_batch(shard, lane, factor, place)
        finally:
            place.reading.release()

    def _lane_is_done(self, shard: Any, factor: int) -> None:
        places = self.checkpoints.of(shard.shard_id)
        if len(places) == factor and all(place.index >= shard.tip for place in places):
            self.checkpoints.done.add(shard.shard_id)

    def _take_batch(self, shard: Any, lane: int, factor: int, place: Place) -> None:
        batch_size = self.stream_parameters["BatchSize"]
        wait_s = self.stream_parameters.get("MaximumBatchingWindowInSeconds") or 0
        told = self.told_size(shard, place.index, batch_size) if factor == 1 else None
        if wait_s and told is None:
            self._wait_for_full(shard, place, batch_size, wait_s)
        batch, following = self._next(shard, lane, factor, place, told or batch_size)
        try:
            events = self._select(shard.shard_id, batch)
            done = self._deliver(shard.shard_id, events, place.window) if events else True
        except Exception:
            # A defect of ours must not pass over records: the checkpoint stays, the batch is taken again.
            LOG.exception("Batch of %s from index %d could not be delivered; it stays", shard.shard_id, place.index)
            self._is_shutdown.wait(LAST_RETRY_S)
            return
        if done:
            place.index = following
            if place.window and windows.is_too_large(place.window.state):
                self._end_window(shard.shard_id, place, early=True)

    def _wait_for_full(self, shard: Any, place: Place, batch_size: int, wait_s: float) -> None:
        """Waits until the batch is full or its first record has waited for the batching window. Filling 6 MB ends it, too."""
        deadline = time.monotonic() + wait_s
        while not self.closed and (left_s := deadline - time.monotonic()) > 0:
            waiting = shard.read(place.index, batch_size, MAX_BATCH_BYTES, self.size_of)
            if len(waiting) >= batch_size or place.index + len(waiting) < shard.tip:
                return
            shard.wait_for(place.index + len(waiting), min(left_s, 1.0))

    def _next(self, shard: Any, lane: int, factor: int, place: Place, limit: int) -> tuple[list[Any], int]:
        """Returns the next batch of a lane, and the index after the last record that was looked at."""
        index = max(place.index, shard.horizon)
        if factor == 1:
            batch = shard.read(index, limit, MAX_BATCH_BYTES, self.size_of)
            if self._window_s and batch:
                place.window = place.window or windows.window_at(batch[0].arrived_at_s, self._window_s)
                batch = [record for record in batch if record.arrived_at_s < place.window.end_s]
            return batch, index + len(batch)
        batch, size = [], 0
        while scanned := shard.read(index, _SCAN, MAX_BATCH_BYTES * _SCAN, self.size_of):
            for record in scanned:
                if zlib.crc32(self.key_of(record).encode()) % factor == lane:
                    size += self.size_of(record)
                    if len(batch) == limit or (batch and size > MAX_BATCH_BYTES):
                        return batch, index
                    batch.append(record)
                index += 1
        return batch, index

    def _select(self, shard_id: str, batch: Sequence[Any]) -> list[dict[str, Any]]:
        """Returns the batch as Lambda events, without what the mapping's filter criteria exclude."""
        events = self.events(shard_id, batch)
        if self.filter_patterns:
            events = [
                event for event in events if any(matches_event(pattern, self.view(event)) for pattern in self.filter_patterns)
            ]
        described: list[dict[str, Any]] = self.add_source_metadata(events)  # type: ignore[attr-defined]
        return described

    # Tumbling windows.

    def _longest_wait_s(self, place: Place) -> float:
        return max(min(1.0, place.window.end_s - time.time()), 0.01) if place.window else 1.0

    def _window_is_over(self, shard: Any, place: Place) -> bool:
        assert place.window
        following = shard.arrived_at(max(place.index, shard.horizon))
        over_s = time.time() if following is None else following
        return bool(over_s >= place.window.end_s)

    def _end_window(self, shard_id: str, place: Place, *, early: bool = False) -> None:
        """Makes the last invocation of a window; a failing one is retried like a batch."""
        assert place.window
        if self._deliver(shard_id, [], place.window, final=True, early=early):
            place.window = None

    # A batch.

    def _deliver(  # noqa: C901 - the rules of a retry, in one place
        self, shard_id: str, events: list[dict[str, Any]], window: Window | None = None, *, final: bool = False, early: bool = False
    ) -> bool:
        """Invokes the function until the events are done with: processed, or handed to the failure destination. Returns False where the mapping
        was closed before.

        Errors of the function count as attempts; throttles and service errors, which never reached it, do not."""
        max_retries = self.stream_parameters.get("MaximumRetryAttempts", -1)
        attempts, delay_s = 0, FIRST_RETRY_S
        error: dict[str, Any] = {}
        consumer = shard_id, threading.get_ident()
        self._attempts[consumer] = 0
        while not self.closed:
            events = self._without_expired(shard_id, events, error, attempts)
            if not events and not final:
                return True
            if 0 <= max_retries < attempts:
                if events:
                    self._hand_over(shard_id, events, "RetryAttemptsExhausted", error, attempts)
                return not self.closed
            try:
                self._invoke(shard_id, events, window, final=final, early=early)
            except PartialBatchFailureError as failure:
                attempts, error = attempts + 1, failure.error
                remaining = self._from_lowest_failed(events, failure)
                if len(remaining) < len(events):
                    events, attempts, delay_s = remaining, 1, FIRST_RETRY_S
            except BatchFailureError as failure:
                attempts, error = attempts + 1, failure.error
                if self.configured("BisectBatchOnFunctionError") and len(events) > 1:
                    middle = len(events) // 2
                    return self._deliver(shard_id, events[:middle], window) and self._deliver(shard_id, events[middle:], window)
            except (ClientError, BotoCoreError) as failure:
                # Throttled, not active yet, LocalStack shutting down.
                LOG.warning("Invocation for a batch of %s did not reach the function: %s", shard_id, failure)
            except Exception as failure:  # noqa: BLE001 - an answer that makes no sense is an error of the function
                LOG.warning("The function's answer to a batch of %s cannot be read: %s", shard_id, failure)
                attempts += 1
            else:
                self._attempts.pop(consumer, None)
                return True
            self._attempts[consumer] = attempts
            self._is_shutdown.wait(delay_s)
            delay_s = min(delay_s * 2, LAST_RETRY_S)
        return False

    def _invoke(self, shard_id: str, events: list[dict[str, Any]], window: Window | None, *, final: bool, early: bool) -> None:
        """Invokes the function once. In a window it also keeps the state that the function returns."""
        if events and ":function:" in self.processor.sender.target_arn:
            age_s = time.time() - self.get_approximate_arrival_time(events[-1])  # type: ignore[attr-defined]
            record_iterator_age(self.processor.sender.target_arn, age_s * 1000)
        if window is None:
            self.processor.process_events_batch(events)
            return
        sender = copy.copy(self.processor.sender)
        sender.payload_dict = False
        payload = windows.event(window, events, shard_id, self.source_arn, final=final, early=early)
        try:
            window.state = windows.state_of(sender.send_events(payload))
        except PartialFailureSenderError as failure:
            window.state = windows.state_of(failure.partial_failure_payload)
            raise PartialBatchFailureError(
                partial_failure_payload=failure.partial_failure_payload, error=failure.error
            ) from failure
        except SenderError as failure:
            raise BatchFailureError(error=failure.error) from failure

    def _from_lowest_failed(self, events: list[dict[str, Any]], failure: PartialBatchFailureError) -> list[dict[str, Any]]:
        numbers = {self._number(event) for event in events}
        failed = get_batch_item_failures(failure.partial_failure_payload, numbers)
        if not failed:
            return events
        lowest = min(failed, key=int)
        return [event for event in events if int(self._number(event)) >= int(lowest)]

    def _number(self, event: dict[str, Any]) -> str:
        return str(self.get_sequence_number(event))  # type: ignore[attr-defined]

    def _without_expired(
        self, shard_id: str, events: list[dict[str, Any]], error: dict[str, Any], attempts: int
    ) -> list[dict[str, Any]]:
        max_age_s = self.stream_parameters.get("MaximumRecordAgeInSeconds", -1)
        if max_age_s <= 0:
            return events
        oldest = time.time() - max_age_s
        expired = [event for event in events if self.get_approximate_arrival_time(event) < oldest]  # type: ignore[attr-defined]
        if expired:
            self._hand_over(shard_id, expired, "RecordAgeExceeded", error, attempts)
        return events[len(expired) :]

    def _hand_over(self, shard_id: str, events: list[dict[str, Any]], condition: str, error: dict[str, Any], attempts: int) -> None:
        """Sends the batch to the failure destination, again and again until it takes it or the mapping ends."""
        context = self._context(condition, error, attempts)
        delay_s = FIRST_RETRY_S
        while not self.closed:
            try:
                self.send_events_to_dlq(shard_id, events, context=context)  # type: ignore[attr-defined]
            except Exception as failure:  # noqa: BLE001 - whatever stops the destination, the batch must not be dropped
                LOG.warning("On-failure destination of %s refused %d records: %s", shard_id, len(events), failure)
                self._is_shutdown.wait(delay_s)
                delay_s = min(delay_s * 2, LAST_RETRY_S)
            else:
                return

    def _context(self, condition: str, error: dict[str, Any], attempts: int) -> dict[str, Any]:
        """Returns how the message to the failure destination begins. Records that expired before any invocation have no answer."""
        context: dict[str, Any] = {
            "requestContext": {
                "requestId": error.get("requestId") or str(uuid4()),
                "functionArn": self.processor.sender.target_arn,
                "condition": condition,
                "approximateInvokeCount": attempts,
            }
        }
        if error:
            context["responseContext"] = {
                "statusCode": error.get("httpStatusCode"),
                "executedVersion": error.get("executedVersion"),
                "functionError": error.get("functionError"),
            }
        return context
