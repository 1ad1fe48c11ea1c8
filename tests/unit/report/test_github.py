"""What GitHub Actions is told of a run."""

from __future__ import annotations

import pytest

from harness.accounting.verdict import Account, Judgement
from harness.report.github import annotation, section, tell_github
from tests.unit.report.runs import finished, lost

FAIL = finished(lost(), Judgement.FAIL, ("7 of 10 records lost", "50% of it, says | `x`"))
PASS = finished(lost(0))


@pytest.fixture
def page(monkeypatch, tmp_path):
    """Returns the page that GitHub shows of a job."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    return tmp_path / "summary.md"


def test_a_failure_is_one_annotation_whose_signs_the_runner_reads_back():
    assert annotation(FAIL) == (
        "::error title=orders%3A fail::7 of 10 records lost%0A50%25 of it, says | `x`%0AReproduce with: pipeproof run orders --seed 1"
    )


def test_an_unknown_verdict_is_an_error_too():
    assert annotation(finished(Account(), Judgement.UNKNOWN, ("not at rest",))).startswith(
        "::error title=orders%3A unknown::not at rest"
    )


def test_the_summary_has_the_account_the_first_records_and_the_command():
    told = section(FAIL)
    assert told.startswith("### orders: fail\n\n- 7 of 10 records lost\n- 50% of it, says &#124; &#96;x&#96;\n")
    assert "| offered | stored | dead-lettered | alerted | rejected | lost |" in told
    assert "| 10 | 3 | 0 | 0 | 0 | 7 |" in told
    assert "<details><summary>lost: the first 5</summary>" in told
    assert "- `id-[0]`: accepted, and seen nowhere; shard:0\n" in told
    assert told.count("- `id-") == 5
    assert "```\npipeproof run orders --seed 1\n```" in told


def test_a_pass_has_no_annotation_and_no_command(page, capsys):
    tell_github(PASS)
    assert capsys.readouterr().out == ""
    assert "```" not in page.read_text()


def test_what_nobody_knows_is_not_told_as_nothing():
    told = section(finished(Account(), Judgement.UNKNOWN, ("the emulator died",)))
    assert "| offered |\n|---:|\n| 0 |" in told
    assert "stored" not in told


def test_each_run_of_a_job_has_its_section(page, capsys):
    tell_github(FAIL)
    tell_github(PASS, annotate=False)
    assert [line for line in page.read_text().splitlines() if line.startswith("###")] == ["### orders: fail", "### orders: pass"]
    assert capsys.readouterr().out.count("::error") == 1


def test_nothing_is_told_elsewhere(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    tell_github(FAIL)
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "summary.md").exists()


def test_a_summary_that_cannot_be_written_is_told_and_the_run_keeps_its_verdict(monkeypatch, capsys):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "/nonexistent/summary.md")
    tell_github(PASS)
    assert capsys.readouterr().err.startswith("GITHUB_STEP_SUMMARY=/nonexistent/summary.md: No such file or directory")
