"""Customers from a paged API: all of them, whatever the API and AWS do meanwhile."""

from __future__ import annotations

import pytest
import yaml

from tests.e2e.commands import shipped


@pytest.mark.parametrize("scenario", ["customers", "customers-malformed", "customers-api", "customers-faults"])
def test_all_customers_are_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    assert result["outcome"]["dead_lettered"] == (0 if scenario == "customers" else 100)


def changed(tmp_path, **send):
    document = shipped("customers")
    document["source"]["records"] = 200
    document["send"] |= send
    path = tmp_path / "changed.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def test_an_answer_that_no_request_met_is_a_doubt(tmp_path, run):
    code, output, result = run(tmp_path, "run", changed(tmp_path, answers=[{"requests": "99", "answer": "truncated"}]))
    assert code == 2, output
    assert result["reasons"] == ["the served API never answered truncated (requests 99): there were not so many requests"]


def test_what_is_never_fetched_is_a_doubt(tmp_path, run):
    code, output, result = run(tmp_path, "run", changed(tmp_path, api_key="another", within_s=8))
    assert code == 2, output
    assert result["outcome"]["stored"] == 0
    assert "200 records had no answer, and were not seen again" in output


@pytest.mark.parametrize(
    ("send", "said"),
    [
        ({"rule": "none"}, "send.rule: there is no enabled schedule none; there is "),
        ({"answers": [{"requests": "1", "answer": "stale"}]}, "an answer is stale by version"),
        ({"answers": [{"requests": "5 %", "answer": "error"}]}, "requests"),
        ({"answers": [{"requests": "1", "answer": "odd"}]}, "answer"),
    ],
)
def test_a_wrong_key_is_named(tmp_path, run, send, said):
    code, output, _ = run(tmp_path, "run", changed(tmp_path, **send))
    assert (code, said in output, "Traceback" in output) == (64, True, False), output
