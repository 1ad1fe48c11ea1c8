"""The runs of a directory."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from harness.accounting.verdict import Account, Judgement
from harness.errors import UsageError
from harness.report.history import history, page
from harness.report.result import write_result
from tests.unit.report.runs import finished, lost


@pytest.fixture
def out(tmp_path):
    """Returns a directory with three runs, a run without a result, and other things."""
    for name, run in {
        "20260101T1-orders": {"account": lost(0)},
        "20260102T1-orders": {"account": lost(2), "judgement": Judgement.FAIL},
        "20260103T1-orders": {"account": Account(), "judgement": Judgement.UNKNOWN},
        "20260104T1-orders": None,
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text("{}")
        if run:
            write_result(finished(run_dir=tmp_path / name, **run))
    (tmp_path / "latest").symlink_to("20260101T1-orders")
    (tmp_path / "notes").mkdir()
    return tmp_path


def shown(*args):
    table, told = history(*args)
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(table)
    return [line.split() for line in console.export_text().splitlines()[1:]], told


def test_each_run_has_its_verdict_and_its_account_the_oldest_first(out):
    lines, told = shown(out, None)
    assert [line[3:9] for line in lines[:3]] == [
        ["pass", "10", "10", "0", "0", "2.00"],
        ["fail", "10", "8", "0", "2", "2.00"],
        ["unknown", "0", "?", "?", "?", "-"],
    ]
    assert lines[3] == ["no", "result", "20260104T1-orders"]
    assert told == "4 runs: 1 fail, 1 pass, 1 unknown, 1 without a result"


def test_runs_of_one_scenario_and_directories_without_any(out, tmp_path):
    result = out / "20260102T1-orders" / "result.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"scenario": "[students]"}))
    assert len(shown(out, "[students]")[0]) == 2
    with pytest.raises(UsageError, match="has no run"):
        history(out / "notes", None)
    with pytest.raises(UsageError, match="No such file"):
        history(out / "nowhere", None)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"scenario": "orders", "started_at": "", "seed": 1, "verdict": "maybe"}'])
def test_a_result_that_cannot_be_read_is_told_with_its_directory_and_hides_no_other(out, content):
    (out / "20260102T1-orders" / "result.json").write_text(content)
    lines, told = shown(out, None)
    assert lines[1] == ["unreadable", "20260102T1-orders"]
    assert told == "4 runs: 1 pass, 1 unknown, 1 unreadable, 1 without a result"
    assert page(out, None, out / "history.html") == 2


def test_a_page_of_runs_has_each_with_a_result_and_leads_to_its_report(out, tmp_path):
    (out / "20260102T1-orders" / "report.html").touch()
    (tmp_path / "pages").mkdir()
    assert page(out, None, tmp_path / "pages" / "history.html") == 3
    written = (tmp_path / "pages" / "history.html").read_text()
    runs = json.loads(written.partition('id="run">')[2].partition("</script>")[0])["runs"]
    assert [(one["directory"], one["report"]) for one in runs] == [
        ("../20260101T1-orders", False), ("../20260102T1-orders", True), ("../20260103T1-orders", False),
    ]  # fmt: skip
    assert [(one["verdict"], one["stored"], one["anomalies"]) for one in runs] == [
        ("pass", 10, 0),
        ("fail", 8, 2),
        ("unknown", None, None),
    ]
    with pytest.raises(UsageError, match="has no run with a result of students"):
        page(out, "students", tmp_path / "history.html")
    with pytest.raises(UsageError, match="--html"):
        page(out, None, tmp_path / "nowhere" / "history.html")
