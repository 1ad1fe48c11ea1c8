"""Event source mappings on a Kinesis stream: one ordered consumer per shard, checkpointed after the batch.

Takes the place of LocalStack's KinesisPoller, which polls one shard at a time, moves its iterator before the batch is done, does
not bisect, does not follow resharding, and drops a batch whose failure destination cannot be reached. The rules are those of
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html and …/kinesis-on-failure-destination.html.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError, PartialBatchFailureError
from localstack.services.lambda_.event_source_mapping.pollers.kinesis_poller import KinesisPoller
from localstack.services.lambda_.event_source_mapping.pollers.poller import get_batch_item_failures
from localstack.services.lambda_.invocation.models import lambda_stores
from localstack.utils.aws.arns import parse_arn
from localstack.utils.event_matcher import matches_event
from moto.kinesis.models import kinesis_backends

from harness.inside.kinesis import script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.inside.kinesis.shard import IndexedShard, StreamRecord

LOG = logging.getLogger(__name__)

# The limit of an invocation's payload, and what the envelope of a record takes of it (names, sequence number, ARNs).
MAX_BATCH_BYTES = 6 * 1024 * 1024 - 64
_ENVELOPE_BYTES = 900
FIRST_RETRY_S, LAST_RETRY_S = 0.1, 10.0

_live: weakref.WeakSet[StreamMapping] = weakref.WeakSet()


def live_mappings() -> list[StreamMapping]:
    """Returns all Kinesis event source mappings of this process that have not been deleted."""
    return [mapping for mapping in list(_live) if not mapping.closed]


def _event_size(record: StreamRecord) -> int:
    """Returns the most bytes that the record takes in an event: the data as base64, and every character of the partition key escaped."""
    return (len(record.data) + 2) // 3 * 4 + 6 * len(record.partition_key) + _ENVELOPE_BYTES


class StreamMapping(KinesisPoller):
    """One mapping. `checkpoints` holds, per shard id, the index of the first record that is not done with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.checkpoints: dict[str, int] = {}
        self._consumers: dict[str, threading.Thread] = {}
        self._done: set[str] = set()
        arn = parse_arn(self.source_arn)
        self._account = arn["account"]
        self._backend = kinesis_backends[arn["account"]][arn["region"]]
        self._stream_name = arn["resource"].removeprefix("stream/")
        self._mappings = lambda_stores[arn["account"]][arn["region"]].event_source_mappings
        _live.add(self)

    @property
    def closed(self) -> bool:
        return bool(self._is_shutdown.is_set())

    @property
    def _bisects(self) -> bool:
        return bool(self._mappings.get(self.esm_uuid, {}).get("BisectBatchOnFunctionError"))

    def behind(self) -> Iterator[tuple[str, int]]:
        """Yields per shard how many records the mapping has not finished with, those in a running invocation included."""
        for shard in self._shards():
            yield shard.shard_id, shard.tip - self.checkpoints.get(shard.shard_id, shard.horizon)

    def poll_events(self) -> None:
        """Gives every shard whose parents are read its consumer. LocalStack's worker calls this again and again."""
        for shard in self._shards():
            parents = {shard.parent, shard.adjacent_parent} - {None}
            if shard.shard_id not in self._consumers and parents <= self._done:
                self.checkpoints[shard.shard_id] = self._start(shard, after_reshard=bool(parents))
                consumer = threading.Thread(target=self._consume, args=(shard,), name=f"esm-{shard.shard_id}", daemon=True)
                self._consumers[shard.shard_id] = consumer
                consumer.start()

    def _shards(self) -> list[IndexedShard]:
        stream = self._backend.streams.get(self._stream_name)
        return list(stream.shards.values()) if stream else []

    def _start(self, shard: IndexedShard, *, after_reshard: bool) -> int:
        position = self.stream_parameters["StartingPosition"]
        if position == "LATEST" and not after_reshard:
            return shard.tip
        if position == "AT_TIMESTAMP":
            start = self.stream_parameters["StartingPositionTimestamp"]
            return shard.index_at(start.timestamp() if hasattr(start, "timestamp") else float(start))
        return shard.horizon

    def _consume(self, shard: IndexedShard) -> None:
        batch_size = self.stream_parameters["BatchSize"]
        window_s = self.stream_parameters.get("MaximumBatchingWindowInSeconds") or 0
        while not self.closed:
            index = self.checkpoints[shard.shard_id]
            if not shard.wait_for(index, timeout_s=1):
                if not shard.is_open:
                    self._done.add(shard.shard_id)
                    return
                continue
            size = self._told_size(shard, index, batch_size)
            if window_s and size is None:
                shard.wait_for(index + batch_size - 1, timeout_s=window_s)
            batch = shard.read(index, size or batch_size, MAX_BATCH_BYTES, _event_size)
            try:
                self._deliver(shard.shard_id, self._select(shard.shard_id, batch))
            except Exception:
                # A defect of ours must not pass over records: the checkpoint stays, the batch is taken again.
                LOG.exception("Batch of %s at %s could not be delivered; it stays", shard.shard_id, batch[0].sequence_number)
                self._is_shutdown.wait(LAST_RETRY_S)
                continue
            if not self.closed:
                self.checkpoints[shard.shard_id] = max(index, shard.horizon) + len(batch)

    def _told_size(self, shard: IndexedShard, index: int, batch_size: int) -> int | None:
        """Returns how many records the next batch had in the run that this one repeats; None in any other run."""
        told = script.of_shard(self._account, self._stream_name, shard.shard_id)
        function = self._mappings.get(self.esm_uuid, {}).get("FunctionArn", "").split(":")
        if not told or len(function) <= 6:
            return None
        return told.size_of(function[6], shard, index, batch_size, filters=bool(self.filter_patterns))

    def _select(self, shard_id: str, batch: list[StreamRecord]) -> list[dict[str, Any]]:
        """Returns the batch as Lambda events, without what the mapping's filter criteria exclude."""
        events: list[dict[str, Any]] = [
            {
                "eventID": f"{shard_id}:{record.sequence_number}",
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": record.partition_key,
                    "sequenceNumber": record.sequence_number,
                    "data": base64.b64encode(record.data).decode(),
                    "approximateArrivalTimestamp": round(record.arrived_at_s, 3),
                },
            }
            for record in batch
        ]
        if self.filter_patterns:
            events = [event for event in events if self._passes(event["kinesis"])]
        described: list[dict[str, Any]] = self.add_source_metadata(events)
        return described

    def _passes(self, fields: dict[str, Any]) -> bool:
        """Returns whether a record matches a filter pattern: on its metadata, or on its data as JSON. The record itself is not touched.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html"""
        view = {**fields, "kinesis": fields}
        try:
            view["data"] = json.loads(base64.b64decode(fields["data"]))
        except ValueError:
            view["data"] = base64.b64decode(fields["data"]).decode(errors="replace")
        return any(matches_event(pattern, view) for pattern in self.filter_patterns)

    def _deliver(self, shard_id: str, events: list[dict[str, Any]]) -> None:  # noqa: C901 - the rules of a retry, in one place
        """Invokes the function until the events are done with: processed, or handed to the failure destination.

        Errors of the function count as attempts; throttles and service errors, which never reached it, do not."""
        max_retries = self.stream_parameters.get("MaximumRetryAttempts", -1)
        attempts, delay_s = 0, FIRST_RETRY_S
        error: dict[str, Any] = {}
        while events and not self.closed:
            events = self._without_expired(shard_id, events, attempts)
            if not events:
                return
            if 0 <= max_retries < attempts:
                self._hand_over(shard_id, events, "RetryAttemptsExhausted", error, attempts)
                return
            try:
                self.processor.process_events_batch(events)
            except PartialBatchFailureError as failure:
                attempts, error = attempts + 1, failure.error
                remaining = self._from_lowest_failed(events, failure)
                if len(remaining) < len(events):
                    events, attempts, delay_s = remaining, 1, FIRST_RETRY_S
            except BatchFailureError as failure:
                attempts, error = attempts + 1, failure.error
                if self._bisects and len(events) > 1:
                    middle = len(events) // 2
                    self._deliver(shard_id, events[:middle])
                    self._deliver(shard_id, events[middle:])
                    return
            except (ClientError, BotoCoreError) as failure:
                # Throttled, not active yet, LocalStack shutting down.
                LOG.warning("Invocation for a batch of %s did not reach the function: %s", shard_id, failure)
            except Exception as failure:  # noqa: BLE001 - an answer that makes no sense is an error of the function
                LOG.warning("The function's answer to a batch of %s cannot be read: %s", shard_id, failure)
                attempts += 1
            else:
                return
            self._is_shutdown.wait(delay_s)
            delay_s = min(delay_s * 2, LAST_RETRY_S)

    def _from_lowest_failed(self, events: list[dict[str, Any]], failure: PartialBatchFailureError) -> list[dict[str, Any]]:
        numbers = {self.get_sequence_number(event) for event in events}
        failed = get_batch_item_failures(failure.partial_failure_payload, numbers)
        if not failed:
            return events
        lowest = min(failed, key=int)
        return [event for event in events if int(self.get_sequence_number(event)) >= int(lowest)]

    def _without_expired(self, shard_id: str, events: list[dict[str, Any]], attempts: int) -> list[dict[str, Any]]:
        max_age_s = self.stream_parameters.get("MaximumRecordAgeInSeconds", -1)
        if max_age_s <= 0:
            return events
        oldest = time.time() - max_age_s
        expired = [event for event in events if self.get_approximate_arrival_time(event) < oldest]
        if expired:
            self._hand_over(shard_id, expired, "RecordAgeExceeded", {}, attempts)
        return events[len(expired) :]

    def _hand_over(self, shard_id: str, events: list[dict[str, Any]], condition: str, error: dict[str, Any], attempts: int) -> None:
        """Sends the batch to the failure destination, again and again until it takes it or the mapping ends."""
        context = self.processor.generate_event_failure_context(
            abort_condition=condition,
            error=error,
            attempts_count=attempts,
            partner_resource_arn=self.partner_resource_arn,
        )
        delay_s = FIRST_RETRY_S
        while not self.closed:
            try:
                self.send_events_to_dlq(shard_id, events, context=context)
            except Exception as failure:  # noqa: BLE001 - whatever stops the destination, the batch must not be dropped
                LOG.warning("On-failure destination of %s refused %d records: %s", shard_id, len(events), failure)
                self._is_shutdown.wait(delay_s)
                delay_s = min(delay_s * 2, LAST_RETRY_S)
            else:
                return
