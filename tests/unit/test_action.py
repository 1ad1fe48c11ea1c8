"""The composite action of GitHub: what it names is there, and its scripts do what they say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ACTION = yaml.safe_load((Path(__file__).parents[2] / ".github" / "actions" / "run" / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]


def test_every_input_that_is_used_is_there_and_the_other_way_round():
    used = set(re.findall(r"inputs\.([a-z-]+)", str(STEPS)))
    assert used == set(ACTION["inputs"])


def test_no_input_is_part_of_a_script():
    assert not [step for step in STEPS if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", ["Install", "Run"])
def test_a_script_calls_what_it_is_for_with_its_inputs(tmp_path, name):
    (step,) = [step for step in STEPS if step.get("name") == name]
    given = {"PACKAGE": "a package", "SCENARIO": "my $(touch x).yaml", "EMULATOR": "embedded", "ARGUMENTS": "--records 10 --seed 2"}
    for program in ("python", "pipeproof"):
        (tmp_path / program).write_text(f'#!/bin/sh\nprintf "%s|" {program} "$@"\n')
        (tmp_path / program).chmod(0o755)
    variables = {variable: given[variable] for variable in step["env"]} | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["bash", "-euc", step["run"]], env=variables, cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = {
        "Install": "python|-m|pip|install|--quiet|a package|",
        "Run": "pipeproof|run|my $(touch x).yaml|--emulator|embedded|--records|10|--seed|2|",
    }
    assert done.stdout == expected[name]
    assert not (tmp_path / "x").exists()
