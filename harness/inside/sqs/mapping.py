"""Event source mappings on an SQS queue: batches side by side, as many as AWS would run.

Takes the place of LocalStack's SqsPoller, which runs one invocation at a time, splits batches of FIFO queues by group, and hands functions
bodies that it has written anew. The rules are those of https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html,
…/services-sqs-configure.html and …/services-sqs-errorhandling.html.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError, PartialBatchFailureError
from localstack.services.lambda_.event_source_mapping.pollers.poller import EmptyPollResultsException, parse_batch_item_failures
from localstack.services.lambda_.event_source_mapping.pollers.sqs_poller import SqsPoller, transform_into_events
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.services.sqs.models import sqs_stores
from localstack.utils.aws.arns import parse_arn
from localstack.utils.event_matcher import matches_event

from harness.inside.lambda_.executor import environments_per_function
from harness.inside.sqs import visibility
from harness.inside.sqs.contents import wait_for_one

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LOG = logging.getLogger(__name__)

FIRST_CONCURRENCY = 5
MORE_PER_MINUTE = 300
MOST_CONCURRENCY = 1250
MAX_BATCH_BYTES = 6 * 1024 * 1024 - 64
_ENVELOPE_BYTES = 1200
_FIRST_RETRY_S, _LAST_RETRY_S = 0.1, 5.0
_EMPTY_WAIT_S = 0.5
_DELETE_TRIES = 3
_DELETE_AT_ONCE = 10


class SqsMapping(SqsPoller):  # type: ignore[misc]
    """One mapping. `running` counts the batches that functions work on."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._function = parse_arn(self.processor.sender.target_arn)
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._busy_since: float | None = None
        self.running = 0

    def close(self) -> None:
        """Ends polling. Batches that functions work on are finished."""
        self._closed.set()

    @property
    def limit(self) -> int:
        """Returns how many batches may run at once now.

        AWS begins with five, and adds 300 a minute while messages wait, up to 1,250 or the mapping's MaximumConcurrency. Here a function has fewer
        environments: messages that could only wait for one stay in the queue."""
        busy_s = time.monotonic() - self._busy_since if self._busy_since else 0.0
        scaled = FIRST_CONCURRENCY + int(busy_s * MORE_PER_MINUTE / 60)
        return min(scaled, self._most)

    @property
    def _most(self) -> int:
        configured = (self._configuration.get("ScalingConfig") or {}).get("MaximumConcurrency") or MOST_CONCURRENCY
        return max(1, min(configured, self._reserved, environments_per_function()))

    @property
    def _configuration(self) -> dict[str, Any]:
        """Returns the mapping as it is configured; LocalStack does not tell its SQS pollers which mapping they are of."""
        store = lambda_stores[self._function["account"]][self._function["region"]]
        for mapping in list(store.event_source_mappings.values()):
            if mapping.get("EventSourceArn") == self.source_arn and mapping.get("FunctionArn") == self.processor.sender.target_arn:
                return dict(mapping)
        return {}

    @property
    def _queue(self) -> Any:
        queue = parse_arn(self.source_arn)
        return sqs_stores[queue["account"]][queue["region"]].queues[queue["resource"]]

    @property
    def _reserved(self) -> int:
        store = lambda_stores[self._function["account"]][self._function["region"]]
        name = self._function["resource"].split(":")[1]
        function = store.functions.get(name)
        reserved = function.reserved_concurrent_executions if function else None
        return MOST_CONCURRENCY if reserved is None else reserved

    def poll_events(self) -> None:
        """Receives batches, and hands each to a thread, until the queue is empty; then one more that comes soon. LocalStack's worker calls this again and again, and
        looks between two calls whether the mapping is to end."""
        while not self._closed.is_set():
            with self._changed:
                if not self._changed.wait_for(lambda: self.running < self.limit, timeout=0.5):
                    continue
            messages = self._receive()
            was_empty = not messages
            if was_empty:
                self._busy_since = None
                messages = self._receive() if self._comes() else []
            if messages:
                self._busy_since = self._busy_since or time.monotonic()
            for batch in _by_size(messages):
                with self._changed:
                    self.running += 1
                threading.Thread(target=self._handle, args=(batch,), name="esm-sqs", daemon=True).start()
            if was_empty:
                return

    def _comes(self) -> bool:
        """Waits for a message, as AWS does, for which an empty queue is no reason to ask later. Returns whether there is one; no longer than LocalStack may wait for an end."""
        try:
            queue = self._queue
        except KeyError:
            raise EmptyPollResultsException(service="sqs", source_arn=self.source_arn) from None
        return wait_for_one(queue, _EMPTY_WAIT_S)

    def _receive(self) -> list[dict[str, Any]]:
        """Returns the messages of one batch. With a batching window it collects until the batch is full or the first message has waited so long."""
        messages = self._receive_some(self.batch_size, 0)
        deadline = time.monotonic() + self.maximum_batching_window
        while (
            messages
            and len(messages) < self.batch_size
            and (left_s := deadline - time.monotonic()) > 0
            and not self._closed.is_set()
        ):
            messages += self._receive_some(self.batch_size - len(messages), min(1, math.ceil(left_s)))
        return messages

    def _receive_some(self, most: int, wait_s: int) -> list[dict[str, Any]]:
        answer = self.source_client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=min(most, 10),
            WaitTimeSeconds=wait_s,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            # More than the API allows, by a header that LocalStack's own poller sends.
            sqs_override_max_message_count=most,
        )
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _handle(self, messages: list[dict[str, Any]]) -> None:
        try:
            with visibility.held(self._queue, messages) as batch:
                self._deliver(messages, batch)
        except Exception:
            # The messages become visible again.
            LOG.exception("A batch of %d messages of %s could not be delivered", len(messages), self.source_arn)
        finally:
            with self._changed:
                self.running -= 1
                self._changed.notify_all()

    def _deliver(self, messages: list[dict[str, Any]], batch: visibility.Held) -> None:
        """Invokes the function with the messages that pass the filter, and deletes those that are done with.

        An error of the function leaves its messages in the queue, until their visibility runs out. A throttled invocation is tried again for as long
        as the messages stay invisible."""
        events = transform_into_events(messages)
        chosen = [event for event in events if self._passes(event)]
        failed: set[str] = set()
        if chosen:
            ids = {event["messageId"] for event in chosen}
            described = self.add_source_metadata(chosen)
            try:
                self._invoke(described, batch)
            except PartialBatchFailureError as failure:
                failed = _failed(failure, ids)
            except (BatchFailureError, ClientError, BotoCoreError) as failure:
                LOG.debug("A batch of %s failed: %s", self.source_arn, failure)
                failed = ids
        self._delete([message for message in messages if message["MessageId"] not in failed])

    def _invoke(self, events: Sequence[dict[str, Any]], batch: visibility.Held) -> None:
        give_up_at = time.monotonic() + self._queue.visibility_timeout / 2
        delay_s = _FIRST_RETRY_S
        while True:
            batch.wait()
            try:
                self.processor.process_events_batch(list(events))
            except ClientError as error:
                if error.response["Error"]["Code"] != "TooManyRequestsException" or time.monotonic() + delay_s > give_up_at:
                    raise
                self._closed.wait(delay_s)
                delay_s = min(delay_s * 2, _LAST_RETRY_S)
            else:
                return

    def _passes(self, event: dict[str, Any]) -> bool:
        """Returns whether a message matches a filter pattern, its body as JSON where it is JSON. The event itself is not touched.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html"""
        if not self.filter_patterns:
            return True
        view = dict(event)
        with contextlib.suppress(ValueError):
            view["body"] = json.loads(event["body"])
        return any(matches_event(pattern, view) for pattern in self.filter_patterns)

    def _delete(self, messages: Sequence[dict[str, Any]]) -> None:
        """Deletes messages, and tries those again that SQS refuses to."""
        left = [(message["MessageId"], message["ReceiptHandle"]) for message in messages]
        for attempt in range(_DELETE_TRIES):
            kept: list[tuple[str, str]] = []
            for start in range(0, len(left), _DELETE_AT_ONCE):
                some = left[start : start + _DELETE_AT_ONCE]
                entries = [{"Id": str(number), "ReceiptHandle": handle} for number, (_, handle) in enumerate(some)]
                try:
                    answer = self.source_client.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)
                except (ClientError, BotoCoreError) as error:
                    LOG.warning("Messages of %s could not be deleted: %s", self.source_arn, error)
                    kept += some
                else:
                    kept += [some[int(entry["Id"])] for entry in answer.get("Failed", ())]
            left = kept
            if not left:
                return
            self._closed.wait(_FIRST_RETRY_S * 2**attempt)


def _failed(failure: PartialBatchFailureError, ids: set[str]) -> set[str]:
    """Returns the ids that the function reports as failed: all of the batch where its answer makes no sense."""
    try:
        return set(parse_batch_item_failures(failure.partial_failure_payload, ids)) or ids
    except (KeyError, ValueError):
        return ids


def _by_size(messages: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yields the messages in batches that fit into an invocation's payload."""
    batch: list[dict[str, Any]] = []
    size = 0
    for message in messages:
        one = (
            len(json.dumps(message.get("Body", "")))
            + len(json.dumps(message.get("MessageAttributes", {}), default=str))
            + _ENVELOPE_BYTES
        )
        if batch and size + one > MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += one
    if batch:
        yield batch
