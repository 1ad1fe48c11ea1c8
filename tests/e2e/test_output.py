"""What a run writes for programs: the result alone on standard output, and the summary of a job of GitHub Actions."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.e2e.commands import environment, leftovers


def harness(cwd, *args, **more):
    return subprocess.run(
        [sys.executable, "-m", "harness", *args], cwd=cwd, env=environment(cwd, **more), capture_output=True, text=True, check=False
    )


def test_a_program_reads_the_result_and_a_job_of_github_has_its_summary(tmp_path):
    summary = tmp_path / "summary.md"
    of_github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = harness(tmp_path, "run", "clickstream-smoke", "--json", "--quiet", **of_github)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads((tmp_path / "runs" / "latest" / "result.json").read_text())
    assert done.stderr.startswith("PASS  clickstream-smoke  ")
    assert len(done.stderr.splitlines()) == 1
    assert "| 2,000 | 1,900 | 90 | 0 | 10 |" in summary.read_text()
    compared = harness(tmp_path, "compare", "runs/latest")
    assert (compared.returncode, compared.stdout.splitlines()[-1]) == (0, "nothing is worse")
    drawn = harness(tmp_path, "graph").stdout.splitlines()
    assert '  EventBucket[("EventBucket<br/>bucket<br/>1,900 stored")]' in drawn
    assert '  DeadLetterQueue[/"DeadLetterQueue<br/>queue<br/>90 dead-lettered"/]' in drawn
    assert any(
        line.startswith('  StreamTransformFunction["StreamTransformFunction<br/>function<br/>') and line.endswith(' invocations"]')
        for line in drawn
    )
    assert leftovers(tmp_path) == []
