"""A user's own parts: docs/extending.md works as it is written, and a part that cannot be used says why."""

from __future__ import annotations

import re

import pytest

from tests.e2e.commands import ROOT, pipeproof

PAGE = (ROOT / "docs" / "extending.md").read_text()


@pytest.fixture
def project(tmp_path):
    """The files of the page, in a directory of their own."""
    for name, content in re.findall(r"^`([\w./]+)`[^\n]*:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
    return tmp_path


def test_the_file_is_as_short_as_the_page_says(project):
    assert len((project / "load.py").read_text().splitlines()) < 80
    assert sorted(file.name for file in project.iterdir()) == ["functions", "load.py", "readings.yaml", "template.yaml"]


def test_a_source_an_ingress_a_probe_and_a_check_of_ones_own_work_together(project, run):
    code, output, result = run(project, "run", "readings.yaml")
    assert code == 1, output
    assert (result["ingress"]["acked"], result["outcome"]["stored"]) == (20, 20)
    assert not any(result["anomalies"].values())
    said = "check parameters are encrypted: expected SecureString, found 20 of 20 parameters in plain text"
    assert result["reasons"] == [said]
    assert said in PAGE
    assert said in output


def test_a_run_of_ones_own_parts_can_be_replayed_from_its_directory(project, run):
    (project / "functions" / "keep.py").write_text(
        (project / "functions" / "keep.py").read_text().replace('"String"', '"SecureString"')
    )
    code, output, first = run(project, "run", "readings.yaml", "--records", 7)
    assert code == 0, output
    code, output, second = run(project, "replay", (project / "runs" / "latest").resolve())
    assert code == 0, output
    assert second["payload_sha256"] == first["payload_sha256"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("./load.py:Readings", "./nowhere.py:Readings", ["readings.yaml:5: source.use:", "nowhere.py does not exist"]),
        ("./load.py:Readings", "./load.py:Reading", ["load.py has no class Reading; of this port it has", "Readings"]),
        ("./load.py:Readings", "./load.py:Parameters", ["is no source: it must be a subclass of harness.api.Source"]),
        ("./load.py:Readings", "load.py", ["names no class: expected a file and a class"]),
        ("path: /readings", "paht: /readings", ["probes.0.paht: unknown key; did you mean path?"]),
        (
            'use: "./load.py:Encrypted"',
            "kind: encrypted",
            ["checks.0.kind: 'encrypted' is no check", "alarm, archive, email, metric, sql"],
        ),
    ],
)
def test_a_part_that_cannot_be_used_is_refused_before_anything_starts(project, old, new, said):
    file = project / "readings.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    code, output, _ = pipeproof(project, "run", "readings.yaml")
    assert code == 64, output
    for part in said:
        assert part in output
    assert "Traceback" not in output


def test_a_file_that_does_not_load_is_named_with_what_went_wrong_in_it(project):
    (project / "load.py").write_text("import no_such_package\n")
    code, output, _ = pipeproof(project, "run", "readings.yaml")
    assert code == 64, output
    assert "load.py cannot be loaded: ModuleNotFoundError: No module named 'no_such_package'" in output
    assert "Traceback" not in output
