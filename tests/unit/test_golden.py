"""What a person reads: every command's help, and the end of a run that passes, fails or is unknown, as files in golden/.

After a change that is meant: UPDATE_GOLDEN=1 pytest tests/unit/test_golden.py, and read the difference."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from rich.text import Text

from harness.accounting.verdict import Account, Ingress, Judgement
from harness.cli import main
from harness.report.terminal import summary
from harness.run.events import Cause, Classes
from tests.unit.report.runs import finished, lost

GOLDEN = Path(__file__).parent / "golden"
FAULT = {"id": "throttle-1", "kind": "throttle", "planned": 4, "seen": 9, "fired": 4}
RUNS = {
    "pass": finished(lost(0), classes=Classes(exercised={"text: a comma": 3, "text: quotes": 2})),
    "fail": finished(
        lost(), Judgement.FAIL, ("7 of 10 records lost",), faults=(FAULT,),
        causes=(Cause("Keep", "ClientError: SlowDown", 4, 4, "id-[0]"),), classes=Classes(exercised={"a": 1}, not_exercised=("b",)),
    ),
    "unknown": finished(Account(Ingress(10, 9, 1)), Judgement.UNKNOWN, ("not at rest within 60 s: 1 message in flight",)),
}  # fmt: skip


def check(name, text):
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def help_of(command):
    # As a person asks for it: in one process click keeps the help option that a command was first shown with.
    shown = subprocess.run(
        [sys.executable, "-m", "harness", *command, "--help"], env=os.environ | {"COLUMNS": "100", "PIPEPROOF_EMULATOR": ""},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return shown.stdout


@pytest.mark.parametrize("command", ["", *sorted(main.commands)])
def test_the_help_of_a_command(command):
    check(f"help-{command}".rstrip("-"), help_of([command] if command else []))


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_help_has_an_example_that_the_command_takes(command):
    (line,) = [line for line in inspect.cleandoc(main.commands[command].help or "").splitlines() if line.startswith("Example: ")]
    words = line.removeprefix("Example: ").partition(" && ")[0].partition(" >> ")[0].split(" ")
    assert words[:2] == ["pipeproof", command]
    options = {
        option
        for parameter in main.commands[command].params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("verdict", RUNS)
def test_the_end_of_a_run(verdict):
    check(f"run-{verdict}", "\n".join(Text.from_markup(line).plain for line in summary(RUNS[verdict])) + "\n")
