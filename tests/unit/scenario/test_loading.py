"""Scenario files: all that are shipped load, and what is wrong is named with line, key and remedy."""

from __future__ import annotations

import json

import pytest

from harness.errors import UsageError
from harness.scenario.catalogue import BUILT_IN, find_scenario, scenario_files
from harness.scenario.loading import load_scenario, scenario_of
from harness.scenario.references import substitute

SMOKE = (BUILT_IN / "clickstream-smoke.yaml").read_text().replace("../", f"{BUILT_IN.parent}/")


@pytest.mark.parametrize("name", scenario_files())
def test_every_shipped_scenario_loads_and_has_one_line(name):
    scenario = load_scenario(scenario_files()[name])
    assert scenario.stack.template.is_file()
    assert scenario.description
    assert "\n" not in scenario.description


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  records: 2000", "  record: 2000", "s.yaml:8: source.record: unknown key; did you mean records?"),
        ("  records: 2000", "  records: many", "s.yaml:8: source.records: Input should be a valid integer"),
        ("  records: 2000", "  records: 0", "s.yaml:8: source.records: Input should be greater than 0"),
        ("    share: 0.05", "    share: 5", "s.yaml:10: source.malformed.share: Input should be less than or equal to 1"),
        ("    share: 0.05", "    share: 0.05\n    kinds: [typo]", "source.malformed.kinds.0: 'typo' is not one of bad_json"),
        ("  to: kinesis", "  to: kinesiz", "s.yaml:12: send.to: 'kinesiz' is no ingress; did you mean kinesis?"),
        ("    prefix: events/", "    prefix: 5", "s.yaml:17: probes.0.prefix: Input should be a valid string"),
        ("    prefix: events/", "    prefx: e", "s.yaml:17: probes.0.prefx: unknown key; did you mean prefix? Allowed here: kind"),
        ("description:", "descripton:", "s.yaml:1: descripton: unknown key; did you mean description?"),
        ("probes:", "probs:", "probes: Field required"),
        ("source:", "source: [", "is not YAML"),
        ("description:", "description: 2026-02-30\nwhen:", "is not YAML: day is out of range"),
        ("  records: 2000", "  records: " + "9" * 5000, "is not YAML"),
        ("source:", "source: " + "[" * 3000, "is not YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, old, new, said):
    assert old in SMOKE
    path = tmp_path / "s.yaml"
    path.write_text(SMOKE.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        load_scenario(path)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", scenario_files())
def test_a_scenario_that_was_written_down_is_the_same_wherever_it_is_read(name, tmp_path):
    """A run's directory holds it as JSON, from which `replay` makes it again."""
    scenario = load_scenario(scenario_files()[name])
    document = json.loads(json.dumps(scenario.document()))
    again = scenario_of(document, tmp_path)
    assert again.document() == scenario.document()
    assert [type(part) for part in (again.source, again.send, *again.probes)] == [
        type(part) for part in (scenario.source, scenario.send, *scenario.probes)
    ]


def test_an_unknown_scenario_names_the_near_ones():
    with pytest.raises(UsageError, match="did you mean clickstream-10k or clickstream-100k"):
        find_scenario("clikstream-10k")


def test_a_scenario_of_the_current_directory_hides_a_built_in_one(tmp_path, monkeypatch):
    (tmp_path / "scenarios").mkdir()
    mine = tmp_path / "scenarios" / "clickstream-smoke.yaml"
    mine.write_text(SMOKE)
    monkeypatch.chdir(tmp_path)
    assert find_scenario("clickstream-smoke")[1] == mine


def test_references_are_replaced_and_unknown_ones_named():
    assert substitute("a-${outputs.X}-b", {"outputs.X": "1"}, "here") == "a-1-b"
    with pytest.raises(UsageError, match=r"send.stream: \$\{outputs.Strem\} is not known; there is outputs.Stream"):
        substitute("${outputs.Strem}", {"outputs.Stream": "s"}, "send.stream")
