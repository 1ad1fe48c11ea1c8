"""The strategies of a scenario's load, and with them laws of the sample's own code: what is promised of a record is what the code does with it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given

from harness.errors import UsageError
from harness.strategies import files, records
from pipeline.clickstream import transforms


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
