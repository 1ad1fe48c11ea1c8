"""Faults that are settings of a function: they hold until the faults end, and Lambda counts what they meet."""

from __future__ import annotations

import pytest

from tests.e2e.commands import pipeproof
from tests.e2e.waiting import SETTINGS, write_waiting_project


@pytest.mark.parametrize("fault", SETTINGS)
def test_a_setting_holds_until_the_faults_end(tmp_path, fault):
    write_waiting_project(tmp_path, fault)
    code, output, found = pipeproof(tmp_path, "run", "orders.yaml", "--records", 4)
    assert (code, found["outcome"]["stored"]) == (0, 4), output
    ((met, kind),) = [(one["fired"], one["kind"]) for one in found["faults"]]
    assert met > 0
    assert kind in fault
    assert found["timing"]["drain_s"] > 8


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        ("{kind: reserved_concurrency, function: Keep, executions: 50}", "throttles"),
        ("{kind: timeout, function: Keep, seconds: 4}", "errors"),
    ],
)
def test_a_setting_that_meets_nothing_leaves_no_verdict(tmp_path, fault, counted):
    write_waiting_project(tmp_path, fault)
    code, output, found = pipeproof(tmp_path, "run", "orders.yaml", "--records", 2)
    assert code == 2, output
    (reason,) = found["reasons"]
    assert f"never fired: expected {counted} of Keep, as Lambda's metric counts them" in reason


def test_a_setting_has_no_part_in_chaos(tmp_path):
    write_waiting_project(tmp_path, SETTINGS[0])
    path = tmp_path / "orders.yaml"
    path.write_text(path.read_text().replace(f"faults: [{SETTINGS[0]}]", f"chaos: {{pick: 1, of: [{SETTINGS[0]}]}}"))
    code, output, _ = pipeproof(tmp_path, "check", "orders.yaml")
    assert code == 64
    assert "chaos.of.0" in output
    assert "reserved_concurrency" in output
