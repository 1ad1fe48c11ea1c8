"""What a search notes for the next one."""

from __future__ import annotations

import json

import pytest

from harness.accounting.verdict import Judgement
from harness.errors import UsageError
from harness.explore.memory import code_of, read_known, write_known
from harness.explore.schedules import Schedule
from harness.explore.search import Known
from harness.faults.plan import load
from harness.scenario.loading import load_scenario
from tests.e2e.swallowing import write_project

SURVIVES = Schedule(({"kind": "throttle", "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1"},), 0)
LOSES = Schedule(({"kind": "error", "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1"},), 0)


def test_in_the_same_code_what_survived_is_known_and_what_lost_is_tried_again(tmp_path):
    path = tmp_path / "found" / "orders.explored.json"
    write_known(path, "a", Known(), [(SURVIVES, Judgement.PASS), (LOSES, Judgement.FAIL)])
    assert read_known(path, "a") == Known(frozenset({SURVIVES.name}))
    write_known(path, "a", read_known(path, "a"), [])
    assert read_known(path, "a") == Known(frozenset({SURVIVES.name}))


def test_in_other_code_all_that_was_tried_comes_last(tmp_path):
    path = tmp_path / "orders.explored.json"
    write_known(path, "a", Known(), [(SURVIVES, Judgement.PASS), (LOSES, Judgement.FAIL)])
    assert read_known(path, "b") == Known(other=frozenset({SURVIVES.name, LOSES.name}))


def test_without_a_note_nothing_is_known(tmp_path):
    assert read_known(tmp_path / "none.json", "a") == Known()


@pytest.mark.parametrize("text", ["[]", "{}", '{"code": "a"}', '{"code": "a", "tried": [1]}', "{"])
def test_what_is_no_note_is_told(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"x\.json"):
        read_known(path, "a")


def test_the_code_is_another_one_once_a_function_the_load_or_a_part_of_the_scenario_changes(tmp_path):
    write_project(tmp_path)
    scenario = load_scenario(tmp_path / "orders.yaml")
    codes = {code_of(scenario, None, None), code_of(scenario, None, 5), code_of(scenario, 3, None)}
    assert len(codes) == 3
    assert code_of(scenario.model_copy(update={"faults": ()}), None, None) in codes
    copies = load([{"kind": "record", "malform": "copy", "records": "1"}])
    assert code_of(scenario.model_copy(update={"faults": copies}), None, None) not in codes, "they are part of the load"
    for left in (".coverage", "runs", "results.txt"):
        (tmp_path / left).write_text("left by a tool")
    (tmp_path / "functions" / "__pycache__").mkdir(exist_ok=True)
    (tmp_path / "functions" / "__pycache__" / "keep.pyc").write_text("")
    assert code_of(scenario, None, None) in codes
    (tmp_path / "functions" / "keep.py").write_text("# other\n")
    assert code_of(scenario, None, None) not in codes


def test_code_outside_of_the_templates_folder_counts_and_what_is_no_code_does_not(tmp_path):
    write_project(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "infra").mkdir()
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Code": "../src", "Environment": {"Variables": {"TMP": "/tmp"}}}}
    (tmp_path / "infra" / "t.json").write_text(json.dumps({"Resources": {"F": function}}))
    scenario = load_scenario(tmp_path / "orders.yaml")
    scenario = scenario.model_copy(update={"stack": scenario.stack.model_copy(update={"template": tmp_path / "infra" / "t.json"})})
    (tmp_path / "src" / "a.py").write_text("1")
    before = code_of(scenario, None, None)
    (tmp_path / "functions" / "keep.py").write_text("# of another template")
    assert code_of(scenario, None, None) == before
    (tmp_path / "src" / "a.py").write_text("2")
    assert code_of(scenario, None, None) != before


def test_where_the_project_is_does_not_count(tmp_path):
    codes = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_project(tmp_path / name)
        codes.add(code_of(load_scenario(tmp_path / name / "orders.yaml"), None, None))
    assert len(codes) == 1
