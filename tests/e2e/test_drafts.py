"""Drafts of the project's own templates run without an edit: the clean pipeline passes, and one that loses records does not."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.commands import ROOT, pipeproof

# Of the ten, bronze drops heartbeats, which nothing in the template says (unknown), and customers fetches (no way in).
PASSES = ("approvals", "clickstream", "lake", "logs", "orders", "purchases", "records", "students")
# System -> a loss: in which file, what is there, and what stands there instead.
LOSSES = {
    "orders": ("transforms.py", "    return good, bad\n\n\ndef to_csv", "    return good[1:], bad\n\n\ndef to_csv"),
    "purchases": (
        "functions/select.py",
        'yield event["Records"]["Payload"]',
        'yield event["Records"]["Payload"].splitlines(True)[0]',
    ),
}


@pytest.fixture
def system(tmp_path):
    """Returns the folder of a system in a copy of all of them, with a drafted scenario."""

    def system(name, file=None, there="", planted=""):
        shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
        folder = tmp_path / "pipeline" / name
        if file is not None:
            text = (folder / file).read_text()
            assert text.count(there) == 1
            (folder / file).write_text(text.replace(there, planted))
        code, output, _ = pipeproof(folder, "init", "template.yaml")
        assert code == 0, output
        return folder

    return system


@pytest.mark.nightly
@pytest.mark.parametrize("name", PASSES)
def test_a_clean_pipeline_passes_by_its_draft(system, run, name):
    code, output, result = run(system(name), "run", "pipeproof.yaml")
    assert code == 0, output
    assert result["outcome"]["stored"] + result["outcome"]["filtered"] == result["ingress"]["offered"] == 200


@pytest.mark.nightly
@pytest.mark.parametrize("name", LOSSES)
def test_a_pipeline_that_loses_records_fails_by_its_draft(system, run, name):
    code, output, result = run(system(name, *LOSSES[name]), "run", "pipeproof.yaml")
    assert code == 1, output
    assert result["anomalies"]["lost"] > 0
