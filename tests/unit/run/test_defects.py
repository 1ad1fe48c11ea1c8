"""Planted defects keep up with the pipeline: each finds its place, and is still Python or YAML afterwards."""

from __future__ import annotations

import pytest
import yaml

from harness.errors import UsageError
from harness.run.defects import BUILT_IN, Defect, Edit, load_defects, plant
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from harness.stack.template import load_template

DEFECTS = [*load_defects(BUILT_IN), *load_defects(BUILT_IN.with_name("defects-of-two-faults"))]


def template_of(defect):
    return load_scenario(find_scenario(defect.scenario)[1]).stack.template


def test_there_are_enough_of_them():
    assert len(DEFECTS) >= 12
    assert {defect.anomaly for defect in DEFECTS} >= {"lost", "duplicated", "corrupted", "misrouted"}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_each_finds_its_place_and_leaves_the_pipeline_as_it_is(defect, tmp_path):
    template = template_of(defect)
    before = {path: path.read_bytes() for path in template.parents[1].rglob("*.py")}
    planted = plant(defect, template, tmp_path / "copy")
    load_template(planted)
    for edit in defect.edits:
        file = planted.parent / edit.file
        if file.suffix == ".py":
            compile(file.read_text(), str(file), "exec")
        assert edit.old != edit.new
    assert {path: path.read_bytes() for path in template.parents[1].rglob("*.py")} == before


@pytest.mark.parametrize("file", ["../../README.md", "../../../../../etc/hostname"])
def test_a_defect_does_not_reach_beyond_the_copy(tmp_path, file):
    defect = Defect("far", "wrong", "clickstream-smoke", "lost", (Edit(file=file, old="x", new="y"),))
    with pytest.raises(UsageError, match="lies outside"):
        plant(defect, template_of(defect), tmp_path / "copy")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("anomaly", "gone", "anomaly"),
        ("edits", [], "edits"),
        ("edits", [{"file": "/etc/passwd", "old": "x", "new": "y"}], "relative"),
        ("extra", 1, "extra"),
    ],
)
def test_a_defect_that_cannot_be_read_is_named(tmp_path, key, value, said):
    document = {"wrong": "x", "scenario": "s", "anomaly": "lost", "edits": [{"file": "a", "old": "x", "new": "y"}], key: value}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "defect.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(UsageError, match=r"mine/defect.yaml") as refused:
        load_defects(tmp_path)
    assert said in str(refused.value)
