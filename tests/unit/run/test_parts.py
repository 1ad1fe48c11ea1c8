"""From a scenario's parts to objects: what would not mean anything is refused."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.faults.plan import RecordFault
from harness.run.catalogue import find_scenario
from harness.run.parts import make_source
from harness.run.scenario.loading import load_scenario

FAULTS = (RecordFault(kind="record", malform="missing_id", records="0"),)


def test_record_faults_and_duplicates_exclude_each_other():
    scenario = load_scenario(find_scenario("records-malformed")[1])
    with pytest.raises(UsageError, match="duplicates and record faults exclude each other"):
        make_source(scenario, 1, None, None, FAULTS)


def test_without_duplicates_the_faults_spoil_the_records_that_they_name():
    scenario = load_scenario(find_scenario("records")[1])
    first, second, *_ = make_source(scenario, 1, None, None, FAULTS)
    assert (first.malformed, first.promised) == ("missing_id", None)
    assert second.malformed is None
