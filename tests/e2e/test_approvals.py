"""Price lists that wait for a person: what is decided, and what becomes of a list about which nothing is."""

from __future__ import annotations

import pytest
import yaml

from tests.e2e.commands import shipped


@pytest.mark.parametrize("scenario", ["approvals", "approvals-malformed", "approvals-faults"])
def test_all_prices_are_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())


def test_only_lists_that_were_approved_by_a_signed_link_in_time_are_loaded(tmp_path, run):
    code, output, result = run(tmp_path, "run", "approvals-decisions", "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    # Of six lists of 200 rows, 20 of them malformed, two are loaded.
    outcome = result["outcome"]
    assert (outcome["stored"], outcome["dead_lettered"] + outcome["alerted"]) == (360, 840)
    told = (tmp_path / "runs" / "latest" / "events.jsonl").read_text()
    assert "approved (200), and then rejected (410)" in told
    assert "tried to forge an approval of (403)" in told
    assert "left alone" in told
    assert "only looked at the links (200)" in told


def test_a_person_whose_decision_cannot_be_taken_tries_again(tmp_path, run):
    document = shipped("approvals")
    document["source"] |= {"records": 60, "files": 3}
    # Each try is a few clicks, and each click three calls.
    document["faults"] = [{"kind": "throttle", "service": "stepfunctions", "operation": "SendTaskSuccess", "calls": "1-60"}]
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(document))
    code, output, result = run(tmp_path, "run", "changed.yaml")
    assert code == 0, output
    assert result["outcome"]["stored"] == 60
    told = (tmp_path / "runs" / "latest" / "events.jsonl").read_text()
    assert "answers 502), and tries again, the task of message" in told
