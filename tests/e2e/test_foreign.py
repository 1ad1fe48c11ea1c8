"""Projects in the styles of public samples: `init` writes a scenario, which runs without an edit. A clean version passes, and one that loses records fails."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.commands import KIND, ROOT, pipeproof

PROJECTS = ROOT / "fixtures" / "foreign"
# Project -> options of init, and a loss: in which file, what is there, and what stands there instead.
LOSSES = {
    # The last row of each file is forgotten.
    "csv-import": (["--sample", "products.csv"], "functions/select/app.py", "in text.splitlines() if", "in text.splitlines()[:-1] if"),
    # Orders by phone are taken, and never picked.
    "fifo-orders": ([], "src/fulfil.py", "            pick = {", "            if order.channel == 'phone':\n                continue\n            pick = {"),
    # A batch overwrites what an earlier one has archived of the same day.
    "api-key-readings": ([], "src/archive.py", "/{first}.json.gz", "/readings.json.gz"),
    # Payments of one account overwrite each other.
    "node-events": ([], "src/store/index.js", "`PAYMENT#${paymentId}`", "`PAYMENT#${account}`"),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_a_strangers_project_passes_clean_and_fails_with_a_loss(tmp_path, run, name):
    options, file, there, planted = LOSSES[name]
    if name == "node-events" and KIND == "embedded" and shutil.which("node") is None:
        pytest.skip("this machine has no Node.js")
    project = tmp_path / name
    shutil.copytree(PROJECTS / name, project)
    code, output, _ = pipeproof(project, "init", "template.yaml", *options)
    assert code == 0, output
    code, output, result = run(project, "run", "pipeproof.yaml")
    assert code == 0, output
    assert result["outcome"]["stored"] == result["ingress"]["offered"] == 200
    source = project / file
    assert there in source.read_text()
    source.write_text(source.read_text().replace(there, planted))
    code, output, result = run(project, "run", "pipeproof.yaml")
    assert code == 1, output
    assert result["anomalies"]["lost"] > 0
