"""What a scenario is judged by where faults are tried."""

from __future__ import annotations

import pytest

from harness.explore.running import under_faults
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario


@pytest.mark.parametrize("name", ["records", "customers", "clickstream-smoke"])
def test_what_is_tried_again_is_counted_again_and_other_checks_stay(name):
    scenario = load_scenario(scenario_files()[name])
    judged = under_faults(scenario)
    assert [check.kind for check in judged.checks] == [check.kind for check in scenario.checks if check.kind != "metric"]
    assert judged.allowed["misrouted"] == float("inf")
    assert "metric" not in str(judged.document().get("checks"))
