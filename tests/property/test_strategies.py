"""The strategies of a scenario's load, and with them laws of the sample's own code: what is promised of a record is what the code does with it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.faults.plan import load
from harness.laws import assert_conserves
from harness.strategies import fault_plans, files, records
from pipeline.clickstream import transforms
from tests.unit.report.runs import STORED, left_run


@given(records("clickstream-smoke"))
def test_a_record_is_accepted_where_it_is_healthy(record):
    accepted = isinstance(transforms.parse(record.payload), transforms.Accepted)
    assert accepted == (record.malformed is None) == (record.promised is not None)


@given(records("clickstream-smoke", malformed=False))
def test_healthy_records_can_be_asked_for(record):
    assert record.malformed is None
    assert json.loads(record.promised)


@given(records("clickstream-smoke", malformed=True))
def test_malformed_records_can_be_asked_for(record):
    assert record.malformed


@given(files("students"))
def test_a_file_has_its_records(file):
    name, body, rows = file
    assert name.endswith(".csv")
    assert len(list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline="")))) - 1 == len(rows)


def test_a_scenario_that_is_not_there_is_told_where_the_strategy_is_made():
    with pytest.raises(UsageError, match="no scenario is called"):
        records("nothing-of-that-name")


def test_what_a_scenario_does_not_have_is_told_where_the_strategy_is_made():
    with pytest.raises(UsageError, match="clickstream-10k has no malformed records"):
        records("clickstream-10k", malformed=True)
    with pytest.raises(UsageError, match="clickstream-smoke has no files"):
        files("clickstream-smoke")


def accepted_or_not(payloads):
    events = [transforms.parse(payload) for payload in payloads]
    kept = [event for event in events if isinstance(event, transforms.Accepted)]
    return [event.event_id for event in kept], [""] * (len(events) - len(kept))


@given(st.lists(records("clickstream-smoke"), unique_by=lambda record: record.record_id))
def test_a_batch_is_conserved(batch):
    assert_conserves(accepted_or_not, batch, id_of=str)


COUNTS = {
    ("made-store", None): 3,
    ("made-store", "s3.PutObject"): 5,
    ("harness", "sqs.SendMessageBatch"): 1,
    ("localstack", "kms.Decrypt"): 9,
}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A run with so many invocations and calls."""
    entries = []
    for (who, call), count in COUNTS.items():
        of = {
            "kind": "call" if call else "invocation",
            "at_ms": 1,
            "name": who,
            "error": None,
            "took_ms": 1,
            "log": "",
            "invocation": "",
            "call": call,
            "status": 200,
        }
        entries += [{**of, "id": f"{who}{call}{number}", "put": None, "carried": ""} for number in range(count)]
    directory = tmp_path_factory.mktemp("earlier")
    left_run(directory, [STORED], entries)
    return directory


@given(data=st.data())
def test_a_plan_of_faults_meets_what_there_was(earlier, data):
    plan = data.draw(fault_plans(earlier, most=4, seconds=0.5))
    assert 1 <= len(plan) <= 4
    names = {"Store": "made-store"}
    for fault, checked in zip(plan, load(plan), strict=True):
        who = fault.get("function") or fault["caller"]
        call = None if "function" in fault else f"{fault['service']}.{fault['operation']}"
        assert max(last for _, last in checked.window.ranges) <= COUNTS[names.get(who, who), call]


def test_without_a_run_there_is_no_plan(tmp_path):
    with pytest.raises(UsageError, match="plan"):
        find(fault_plans(tmp_path), lambda _: True)
    left_run(tmp_path, [STORED])
    with pytest.raises(UsageError, match="has no journal"):
        find(fault_plans(tmp_path), lambda _: True)
