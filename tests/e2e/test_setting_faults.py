"""Faults that are settings of a function: they hold until the faults end, and Lambda counts what they meet."""

from __future__ import annotations

import pytest

from tests.e2e.commands import pipeproof
from tests.e2e.waiting import SETTINGS, write_notified_project, write_waiting_project


@pytest.mark.parametrize("fault", SETTINGS)
def test_a_setting_holds_until_the_faults_end(tmp_path, fault):
    write_waiting_project(tmp_path, fault)
    code, output, found = pipeproof(tmp_path, "run", "orders.yaml", "--records", 4)
    assert (code, found["outcome"]["stored"]) == (0, 4), output
    ((met, kind),) = [(one["fired"], one["kind"]) for one in found["faults"]]
    assert met > 0
    assert kind in fault
    assert found["timing"]["drain_s"] > 8


FAILS_AT_FIRST = """
    if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1":
        raise ValueError("not yet")
"""


def test_a_time_out_that_ends_nothing_leaves_no_verdict_though_the_function_fails(tmp_path):
    write_waiting_project(tmp_path, "{kind: timeout, function: Keep, seconds: 4}")
    code = tmp_path / "functions" / "keep.py"
    code.write_text(code.read_text().replace("    for record", f"{FAILS_AT_FIRST}    for record"))
    code, output, found = pipeproof(tmp_path, "run", "orders.yaml", "--records", 2)
    assert (code, found["outcome"]["stored"]) == (2, 2), output
    (reason,) = found["reasons"]
    assert "never fired: expected an invocation that takes more than 4 s of" in reason


def test_what_lambda_drops_meets_the_concurrency_too(tmp_path):
    """An asynchronous event is given up at once where nothing may run: here to the dead-letter queue, from which the run knows of it."""
    write_notified_project(tmp_path, SETTINGS[0])
    code, output, found = pipeproof(tmp_path, "run", "orders.yaml", "--records", 3)
    assert found["outcome"]["dead_lettered"] == 3, output
    # Where LocalStack invokes the function by a request (2026.3), its client is throttled five times before the event is dropped.
    assert found["faults"][0]["fired"] in {3, 3 + 3 * 5}
    assert (code, found["reasons"]) == (2, ["no healthy record was stored: nothing shows that the way through the pipeline works"])


def test_a_time_out_that_is_none_is_refused(tmp_path):
    write_waiting_project(tmp_path, "{kind: timeout, function: Keep, seconds: 5}")
    code, output, _ = pipeproof(tmp_path, "run", "orders.yaml", "--records", 2)
    assert code == 64, output
    assert "has 5 s, and 5 s are no less" in output


def test_a_setting_has_no_part_in_chaos(tmp_path):
    write_waiting_project(tmp_path, SETTINGS[0])
    path = tmp_path / "orders.yaml"
    path.write_text(path.read_text().replace(f"faults: [{SETTINGS[0]}]", f"chaos: {{pick: 1, of: [{SETTINGS[0]}]}}"))
    code, output, _ = pipeproof(tmp_path, "check", "orders.yaml")
    assert code == 64
    assert "chaos.of.0" in output
    assert "reserved_concurrency" in output
