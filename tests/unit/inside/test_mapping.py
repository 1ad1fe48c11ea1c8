"""Delivery of a stream's batches: whatever the function does, each record is processed or handed over, in order, and none is passed over."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from localstack.services.lambda_.event_source_mapping.event_processor import BatchFailureError, PartialBatchFailureError

from harness.inside.kinesis.mapping import KinesisMapping
from harness.inside.streams import mapping as module


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(module, "FIRST_RETRY_S", 0)
    monkeypatch.setattr(module, "LAST_RETRY_S", 0)


def batch(count):
    return [{"kinesis": {"sequenceNumber": str(number), "approximateArrivalTimestamp": 0}} for number in range(count)]


def numbers(events):
    return [int(event["kinesis"]["sequenceNumber"]) for event in events]


class Mapping(KinesisMapping):
    """A mapping without LocalStack around it. `process` is the function; `refusals` how often the destination is unreachable."""

    def __init__(self, process, *, bisects=False, refusals=0, **parameters):
        self.processor = SimpleNamespace(process_events_batch=process, sender=SimpleNamespace(target_arn="arn"))
        self._parameters = parameters
        self.partner_resource_arn = "arn"
        self.kinesis_namespace = True
        self._is_shutdown = threading.Event()
        self._bisect = bisects
        self.refusals = refusals
        self.handed_over = []
        self._attempts = {}

    @property
    def stream_parameters(self):
        return self._parameters

    def configured(self, name, default=None):
        return self._bisect if name == "BisectBatchOnFunctionError" else default

    def send_events_to_dlq(self, shard_id, events, context):
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError
        self.handed_over += [(number, context["requestContext"]["condition"]) for number in numbers(events)]


@given(st.integers(1, 12), st.sets(st.integers(0, 11)), st.booleans(), st.integers(0, 3), st.integers(0, 2))
def test_poison_is_handed_over_and_the_others_are_processed(count, poison, bisects, retries, refusals):
    """A function that fails for a batch with poison in it. With bisecting, only the poison is given up."""
    processed = []

    def process(events):
        if poison & set(numbers(events)):
            raise BatchFailureError(error={})
        processed.extend(numbers(events))

    mapping = Mapping(process, bisects=bisects, refusals=refusals, MaximumRetryAttempts=retries)
    mapping._deliver("shard", batch(count))
    given_up = [number for number, _ in mapping.handed_over]
    assert sorted(processed + given_up) == list(range(count)), "each exactly once"
    bad = poison & set(range(count))
    if bisects:
        assert set(given_up) == bad
    else:
        assert given_up == (list(range(count)) if bad else [])
    assert {condition for _, condition in mapping.handed_over} <= {"RetryAttemptsExhausted"}


@given(st.integers(1, 10), st.lists(st.integers(0, 9), max_size=6))
def test_a_partial_failure_begins_again_at_the_lowest_record_that_failed(count, failures):
    """Each call fails at the next number of `failures`, as long as there are any; the records before it are done with."""
    calls, left = [], list(failures)

    def process(events):
        calls.append(numbers(events))
        if left:
            failed = left.pop(0)
            if failed in numbers(events):
                raise PartialBatchFailureError(
                    partial_failure_payload={"batchItemFailures": [{"itemIdentifier": str(failed)}]}, error={}
                )

    mapping = Mapping(process, MaximumRetryAttempts=-1)
    mapping._deliver("shard", batch(count))
    assert mapping.handed_over == []
    for before, after in itertools.pairwise(calls):
        assert after == before[before.index(after[0]) :], "the rest of the batch, in order"
    assert calls[-1][-1] == count - 1


def test_records_that_are_too_old_are_handed_over_and_the_others_processed(monkeypatch):
    monkeypatch.setattr(module.time, "time", lambda: 100.0)
    events = batch(4)
    for event, arrived_at_s in zip(events, [10, 20, 95, 99], strict=True):
        event["kinesis"]["approximateArrivalTimestamp"] = arrived_at_s
    processed = []
    mapping = Mapping(lambda of: processed.extend(numbers(of)), MaximumRecordAgeInSeconds=60)
    mapping._deliver("shard", events)
    assert mapping.handed_over == [(0, "RecordAgeExceeded"), (1, "RecordAgeExceeded")]
    assert processed == [2, 3]
