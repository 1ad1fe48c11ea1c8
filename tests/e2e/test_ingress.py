"""Senders hand over every record once, or say what became of it."""

from __future__ import annotations

import pytest

from harness.accounting.record import Record, Status
from harness.emulator.clients import Clients
from harness.parts.ingress import api
from harness.parts.ingress.api import Api
from harness.parts.ingress.kinesis import Kinesis
from tests import loads
from tests.e2e.conftest import started
from tests.e2e.test_kinesis import create, read_all


def records(count, size=50):
    return [Record(f"id-{n}", f"{n:>{size}}".encode(), b"{}", None, f"k{n}") for n in range(count)]


def answers_of(clients, stream, offered):
    return [answer for _, answer in Kinesis(stream=stream).open(loads.context(clients)).send(offered)]


@pytest.fixture
def throttling(tmp_path, monkeypatch):
    """An emulator that keeps Kinesis's throughput."""
    monkeypatch.setenv("PIPEPROOF_KINESIS_THROUGHPUT", "enforce")
    emulator, description = started(tmp_path / "emulator.log")
    yield Clients(description.endpoint)
    emulator.stop()


def test_entries_that_a_throttled_shard_refuses_are_sent_again_until_all_are_in_once(throttling):
    kinesis = throttling("kinesis", retries=False)
    stream = create(kinesis)
    # Five of these exceed what a shard takes in one second, and what it takes in two.
    entry = {"Data": b"x" * 900_000, "PartitionKey": "k"}
    plain = kinesis.put_records(StreamName=stream, Records=[entry] * 5)
    refused = [r for r in plain["Records"] if "ErrorCode" in r]
    assert {r["ErrorCode"] for r in refused} == {"ProvisionedThroughputExceededException"}
    assert plain["FailedRecordCount"] == len(refused)

    offered = records(8, size=900_000)
    answers = answers_of(throttling, stream, offered)
    assert {a.status for a in answers} == {Status.ACKED}
    found = {
        r["SequenceNumber"]: r["Data"] for r in read_all(kinesis, stream, "shardId-000000000000") if r["Data"] != entry["Data"]
    }
    assert found == {a.sequence: r.payload for r, a in zip(offered, answers, strict=True)}


def test_a_record_that_no_request_may_hold_is_rejected_alone(clients):
    stream = create(clients("kinesis"))
    offered = records(40)
    offered[7] = offered[7]._replace(payload=b"x" * (1024 * 1024 + 1))
    offered[8] = offered[8]._replace(partition_key="k" * 300)
    answers = answers_of(clients, stream, offered)
    assert [n for n, a in enumerate(answers) if a.status is Status.REJECTED] == [7, 8]
    assert {a.status for n, a in enumerate(answers) if n not in {7, 8}} == {Status.ACKED}
    assert "ValidationException" in answers[7].detail


def test_records_of_a_stream_that_is_not_there_are_rejected(clients):
    (answer,) = answers_of(clients, "nowhere", records(1))
    assert answer.status is Status.REJECTED
    assert "ResourceNotFoundException" in answer.detail


def test_without_an_answer_a_record_is_indeterminate_and_not_sent_again():
    answers = answers_of(Clients("http://127.0.0.1:1"), "stream", records(3))
    assert {a.status for a in answers} == {Status.INDETERMINATE}


def test_nobody_at_the_api_is_a_rejection_with_the_reason(monkeypatch):
    monkeypatch.setattr(api, "_FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(api, "_LAST_DELAY_S", 0.001)
    sender = Api(url="http://127.0.0.1:1/events").open(loads.context())
    ((_, answer),) = sender.send(records(1))
    sender.close()
    assert answer.status is Status.REJECTED
    assert "no connection" in answer.detail
