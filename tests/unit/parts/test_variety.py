"""Classes of inputs: a load with room for them has all, and all pairs."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.parts.units import File
from harness.parts.variety import Variety
from harness.run.coverage import Coverage
from harness.run.recipe import make_recipe, open_load
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario

DIMENSIONS = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.lists(st.text("xyz", min_size=1, max_size=3), min_size=1, max_size=4, unique=True).map(tuple),
    min_size=1,
    max_size=5,
)


@given(DIMENSIONS)
def test_rows_have_every_pair_of_classes_of_two_dimensions(dimensions):
    rows = [row.classes for row in Variety(dimensions).rows]
    for one, another in itertools.combinations(dimensions, 2):
        pairs = {(row[one], row[another]) for row in rows}
        assert pairs == set(itertools.product(dimensions[one], dimensions[another]))


def test_of_very_many_classes_each_comes_soon_if_not_every_pair():
    dimensions = {f"dimension {number}": tuple(f"{number} {one}" for one in range(30 + number)) for number in range(20)}
    rows = Variety(dimensions).rows
    assert len(rows) <= 100
    for name, classes in dimensions.items():
        assert {row.classes[name] for row in rows} == set(classes)


@given(DIMENSIONS, st.integers(1, 3000), st.integers(0, 5))
def test_records_are_varied_within_the_load_and_no_more_than_a_third_of_them(dimensions, count, part):
    variety = Variety(dimensions)
    placed = variety.placed(count, part)
    assert all(0 <= place < count for place in placed)
    assert len(placed) <= -(-count // 3)
    if count >= 3 * len(variety.rows):
        assert {label for row in placed.values() for label in row.labels} == set(variety.labels)


def offered(name, records=None):
    load = open_load(make_recipe(name, load_scenario(scenario_files()[name]), records=records))
    coverage = Coverage(load)
    for unit in load.units():
        if isinstance(unit, File):
            coverage.file(unit)
            for record in unit.records():
                coverage.record(record)
        else:
            coverage.record(unit)
    return coverage.result()


@pytest.mark.parametrize(
    "name", ["clickstream-smoke", "clickstream-malformed", "orders-smoke", "orders-malformed", "students", "students-malformed", "records", "records-malformed", "logs", "logs-malformed", "purchases", "purchases-json", "bronze", "approvals", "approvals-malformed"]
)  # fmt: skip
def test_a_scenario_exercises_all_classes_of_its_source(name):
    assert offered(name).not_exercised == ()


def test_a_load_that_is_too_small_for_what_is_asked_says_so():
    found = offered("clickstream-smoke", records=8)
    assert found.note == (
        "the load is too small for the malformed records that are asked for: it has 0 of them for 10 kinds; these kinds are missing: bad_json, "
        "truncated, wrong_type, missing_field, unknown_enum, bad_timestamp, invalid_utf8, bom, oversize, empty"
    )
    assert found.not_exercised
    assert offered("clickstream-smoke").note == ""


@pytest.mark.parametrize("name", ["clickstream-smoke", "orders-smoke", "students", "records"])
@pytest.mark.parametrize("records", [1, 7, 60])
def test_ids_are_distinct_whatever_their_classes(name, records):
    load = open_load(make_recipe(name, load_scenario(scenario_files()[name]), records=records * 20))
    # Of two rivals the second has the first one's id.
    ids = {
        (record.record_id, record.rival)
        for unit in load.units()
        for record in (unit.records() if isinstance(unit, File) else [unit])
    }
    assert len({record_id for record_id, _ in ids}) == len(ids) == records * 20
