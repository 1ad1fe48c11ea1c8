"""From a scenario to its load and its plan: what would not mean anything is refused."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.faults.plan import RecordFault
from harness.run.recipe import Recipe, open_load
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from tests.loads import flat

FAULTS = (RecordFault(kind="record", malform="missing_id", records="0"),)


def recipe(name, faults=()):
    return Recipe(name, load_scenario(find_scenario(name)[1]), 1, faults=faults)


def test_record_faults_and_duplicates_exclude_each_other():
    with pytest.raises(UsageError, match="duplicate_id and record faults exclude each other"):
        open_load(recipe("records-malformed", FAULTS))


def test_without_duplicates_the_faults_spoil_the_records_that_they_name():
    first, second, *_ = flat(open_load(recipe("records", FAULTS)))
    assert (first.malformed, first.promised) == ("missing_id", None)
    assert second.malformed is None


def test_a_lookup_that_the_source_has_nothing_for_is_refused():
    orders = load_scenario(find_scenario("orders-smoke")[1])
    students = load_scenario(find_scenario("students")[1])
    with pytest.raises(UsageError, match="nothing to look up"):
        open_load(Recipe("mixed", students.model_copy(update={"lookup": orders.lookup}), 1))
