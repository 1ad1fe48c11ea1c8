"""The command before anything has been started."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.accounting.verdict import Account, Judgement, Verdict
from harness.errors import UnknownVerdictError, UsageError
from harness.report.run_record import record
from harness.run import events
from harness.run.run_dir import create_run_dir, latest, point_latest_to
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ("click", "nothing had been started"),
        ("pydantic", "nothing had been started"),
        ("harness.run.recipe", "everything that was started has been stopped"),
        ("pyarrow.lib", "everything that was started has been stopped"),
    ],
)
def test_a_ctrl_c_while_it_imports_ends_it_with_one_line_and_leaves_nothing(tmp_path, after, says):
    """Python tells each import when it is done: the signal comes while the next ones go on, and while the emulator starts, if it has been launched."""
    work = tmp_path / "work"
    work.mkdir()
    with subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "harness", "run", "clickstream-smoke", "--emulator", "embedded"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ | {"PIPEPROOF_TMPDIR": str(work)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
    ) as process:  # fmt: skip
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == after:
                process.send_signal(signal.SIGINT)
                break
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"pipeproof: interrupted; {says}"
    assert list(tmp_path.rglob("*")) == [work]
    assert not [
        other for other in psutil.process_iter(["environ"]) if (other.info["environ"] or {}).get("PIPEPROOF_TMPDIR") == str(work)
    ]


def test_a_seed_below_zero_is_refused(tmp_path):
    """Python's random numbers are those of its positive twin."""
    command = [sys.executable, "-m", "harness", "run", "clickstream-smoke", "--seed", "-3"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 64
    assert "--seed" in refused.stderr
    document = find_scenario("clickstream-smoke")[1].read_text().replace("../pipeline", str(Path("pipeline").resolve()))
    (tmp_path / "mine.yaml").write_text(f"seed: -3\n{document}")
    with pytest.raises(UsageError, match=r"mine\.yaml:1: seed: Input should be greater than or equal to 0"):
        load_scenario(tmp_path / "mine.yaml")


def test_an_ingress_that_serves_its_records_has_no_workers(tmp_path):
    command = [sys.executable, "-m", "harness", "run", "customers", "--workers", "2", "--emulator", "embedded"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 64
    assert "--workers: send (to: served) cannot be open in several processes at once" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_latest_run_is_again_the_one_that_it_was(tmp_path):
    assert latest(tmp_path) is None
    first = create_run_dir(tmp_path, "one")
    assert latest(tmp_path) == first
    second = create_run_dir(tmp_path, "two")
    assert latest(tmp_path) == second
    point_latest_to(tmp_path, first)
    assert latest(tmp_path) == first
    point_latest_to(tmp_path, None)
    assert not (tmp_path / "latest").exists()


def test_a_full_disk_is_told_as_what_could_not_be_written(tmp_path):
    def run():
        yield from ()
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "events.jsonl"))

    with pytest.raises(UnknownVerdictError, match=r"No space left on device \(.*events.jsonl\): the run could not be written down"):
        record(tmp_path, run())


@pytest.mark.usefixtures("handlers")
def test_an_interrupt_while_an_event_is_shown_ends_the_run_and_its_result_is_written(tmp_path):
    def show(event):
        if isinstance(event, events.PhaseStarted):
            signal.raise_signal(signal.SIGTERM)

    def run():
        verdict = Verdict(Judgement.PASS, ())
        try:
            yield events.PhaseStarted("load", "")
        except KeyboardInterrupt:
            verdict = Verdict(Judgement.UNKNOWN, ("interrupted",))
        yield events.RunFinished(
            scenario="s", seed=1, started_at="", command="", run_dir=tmp_path, emulator=None, verdict=verdict, account=Account(), timing=events.Timing(),
            payload_sha256="",
        )  # fmt: skip

    assert record(tmp_path, run(), show).verdict.judgement is Judgement.UNKNOWN
    assert json.loads((tmp_path / "result.json").read_text())["verdict"] == "unknown"
