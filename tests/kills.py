"""Kills at random moments of a run's phases: nothing may be left, and no verdict may be wrong. `tox -e kills -- 200` makes two hundred.

The harness, its emulator (process or container), or an execution environment is killed by SIGKILL, or the harness is told to end by SIGINT or SIGTERM, some
time after a phase has begun. Then: no process, work directory, container, network or token is left; a run whose harness was killed has no result, and one that
was told to end has one; one whose emulator was killed before everything was observed is unknown; none fails, as the pipeline loses nothing. Exit 0 where all of
that holds.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click
import psutil
from docker.errors import APIError

from harness.emulator.container import sweep
from harness.emulator.docker_engine import connect
from harness.emulator.tokens import directory
from harness.emulator.tokens import sweep as sweep_tokens
from tests.conformance.functions import wait_until
from tests.e2e.commands import KIND, containers, inside, kill_emulator, leftovers, start

PHASES = ("start", "emulator", "deploy", "load", "drain", "observe", "reconcile")
HOW = ("harness", "emulator", "environment", "SIGINT", "SIGTERM")
# From here on the emulator is asked for nothing that the verdict needs.
_OBSERVED = ("reconcile",)
_LONGEST_DELAY_S = 1.0
_ENDS_WITHIN_S = 180
_SHOWN = 3000


@dataclass(frozen=True)
class Kill:
    phase: str
    how: str
    delay_s: float
    seed: int


def drawn(number: int, seed: int) -> list[Kill]:
    """Returns the kills: every phase with every way in turn."""
    rng = random.Random(seed)
    pairs = [
        (phase, how)
        for phase in PHASES
        for how in HOW
        if not (how in {"emulator", "environment"} and phase in {"start", "emulator"})
    ]
    order = [pair for _ in range(-(-number // len(pairs))) for pair in rng.sample(pairs, len(pairs))][:number]
    return [
        Kill(phase, how, rng.uniform(0, _LONGEST_DELAY_S if phase != "reconcile" else 0.1), rng.randrange(1000))
        for phase, how in order
    ]


def made(kill: Kill, cwd: Path) -> tuple[str, list[str]]:
    """Makes a run and kills. Returns what came of it, and what is wrong with that."""
    process = start(cwd, "run", "clickstream-smoke", "--records", 400, "--seed", kill.seed)
    events = cwd / "runs" / "latest" / "events.jsonl"
    if kill.phase == "start":
        # Before that it is Python that starts, and answers a signal in its own way.
        wait_until(lambda: _catches_signals(process.pid) or process.poll() is not None, "our own code to begin", _ENDS_WITHIN_S)
    else:
        begun = f'"phase": "{kill.phase}"'
        wait_until(
            lambda: (events.is_file() and begun in events.read_text()) or process.poll() is not None,
            f"{kill.phase} to begin",
            _ENDS_WITHIN_S,
        )
    # The moment that was drawn: nothing is waited for.
    time.sleep(kill.delay_s)
    hit = process.poll() is None and _strike(kill.how, cwd, process)
    observed = events.is_file() and any(f'"phase": "{phase}"' in events.read_text() for phase in _OBSERVED)
    output, _ = process.communicate(timeout=_ENDS_WITHIN_S)
    wrong = ["a traceback"] if "Traceback" in output else []
    result = cwd / "runs" / "latest" / "result.json"
    verdict = json.loads(result.read_text())["verdict"] if result.is_file() else None
    if verdict == "fail":
        wrong.append("a fail, though nothing was lost")
    if hit and kill.how == "harness" and verdict is not None and kill.phase != "reconcile":
        wrong.append(f"a verdict of a run whose harness was killed: {verdict}")
    if hit and kill.how == "emulator" and verdict == "pass" and not observed:
        wrong.append("a pass, though the emulator was killed before everything was observed")
    if hit and kill.how in {"SIGINT", "SIGTERM"} and process.returncode not in {130, 0}:
        wrong.append(f"exit {process.returncode}")
    if hit and kill.how in {"SIGINT", "SIGTERM"} and kill.phase != "start" and verdict is None:
        wrong.append("no result of a run that was told to end")
    if KIND == "container" and kill.how == "harness":
        wait_until(
            lambda: all(one.status == "exited" for one in containers(cwd) if hasattr(one, "status")), "the containers to end"
        )
        sweep(connect())
    try:
        wait_until(lambda: leftovers(cwd) == [], "nothing to be left", 30)
    except AssertionError:
        wrong.append(f"left: {leftovers(cwd)}")
    if wrong:
        wrong.append(output[-_SHOWN:])
    return f"{verdict or 'no verdict'}, exit {process.returncode}{'' if hit else ', missed'}", wrong


def _catches_signals(pid: int) -> bool:
    """Returns whether a process has installed a handler for SIGTERM."""
    try:
        caught = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def _strike(how: str, cwd: Path, process: object) -> bool:
    """Returns whether there was something to strike at."""
    try:
        match how:
            case "harness":
                process.kill()
            case "emulator":
                kill_emulator(cwd)
            case "environment":
                next(one for one in inside(cwd) if "awslambdaric" in " ".join(one.cmdline())).kill()
            case _:
                process.send_signal(getattr(signal, how))
    except (StopIteration, psutil.Error, APIError):
        # It is gone, or is going.
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("number", type=int, nargs="?", default=20)
    parser.add_argument("--draw", type=int, default=1, help="seed of what is drawn")
    asked = parser.parse_args()
    tokens = {path.name for path in directory().glob("*")}
    counts: Counter[tuple[str, str]] = Counter()
    bad = 0
    for number, kill in enumerate(drawn(asked.number, asked.draw), 1):
        with tempfile.TemporaryDirectory(prefix="pipeproof-kills-") as scratch:
            came, wrong = made(kill, Path(scratch))
        counts[kill.phase, kill.how] += 1
        bad += bool(wrong)
        click.echo(
            f"{number:>4} of {asked.number}  {kill.how:<12} in {kill.phase:<10} after {kill.delay_s:.2f} s: {came}{''.join(f'; WRONG: {one}' for one in wrong)}"
        )
    # What a killed harness leaves there goes with the next start.
    sweep_tokens()
    left = {path.name for path in directory().glob("*")} - tokens
    click.echo(f"{asked.number} kills ({KIND}), {bad} wrong, {len(left)} tokens left")
    for (phase, how), count in sorted(counts.items()):
        click.echo(f"  {phase:<10} {how:<12} {count}")
    return 1 if bad or left else 0


if __name__ == "__main__":
    sys.exit(main())
