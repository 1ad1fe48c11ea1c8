"""`pipeproof history`: the runs of a directory, the oldest first."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from harness.accounting.verdict import Judgement
from harness.errors import UsageError
from harness.report.html.page import REPORT, write_history
from harness.report.result import RESULT, read_result
from harness.run.run_dir import PLAN, readable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_STYLE = {Judgement.PASS: "green", Judgement.FAIL: "bold red", Judgement.UNKNOWN: "bold yellow"}
_NO_RESULT, _UNREADABLE = "no result", "unreadable"
_COUNTED = {_NO_RESULT: "without a result", _UNREADABLE: "unreadable"}
_FIGURES = ("offered", "stored", "given up", "anomalies", "p95", "records/s")


def page(out: Path, scenario: str | None, target: Path) -> int:
    """Writes a page of the runs below `out` that have a result (of all scenarios, or of one), and returns how many there are.

    Raises UsageError where there is none, or the page cannot be written."""
    results = ((run_dir, _result(run_dir)) for run_dir in _runs(out))
    runs = [
        _summary(run_dir, found, target)
        for run_dir, found in results
        if isinstance(found, dict) and scenario in (None, found["scenario"])
    ]
    if not runs:
        raise UsageError(f"{out} has no run with a result" + (f" of {scenario}" if scenario else ""))
    try:
        write_history(runs, target)
    except OSError as error:
        raise UsageError(f"--html {target}: {error.strerror}") from error
    return len(runs)


def _summary(run_dir: Path, found: dict[str, Any], target: Path) -> dict[str, Any]:
    outcome, timing, anomalies = found["outcome"], found["timing"], found["anomalies"]
    return {
        **{name: found[name] for name in ("started_at", "scenario", "seed", "verdict", "reasons")},
        "offered": found["ingress"]["offered"],
        "stored": outcome["stored"],
        "given_up": _sum(outcome[name] for name in ("dead_lettered", "alerted", "rejected")),
        "anomalies": _sum(anomalies.values()),
        "p95": timing["latency_s"]["p95"],
        "records_per_s": timing["records_per_s"],
        "directory": os.path.relpath(run_dir.resolve(), target.parent.resolve()),
        "report": (run_dir / REPORT).exists(),
    }


def _sum(counts: Iterable[int | None]) -> int | None:
    """Returns the sum; None where one of them is not known."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def history(out: Path, scenario: str | None) -> tuple[Table, str]:
    """Returns a table of the runs below `out` (of all scenarios, or of one), and a sentence that counts them. A run without a result is told as such.

    Raises UsageError where there is no run."""
    table = Table("started", "scenario", "seed", "verdict", *_FIGURES, "run directory", box=None)
    for column in table.columns[4 : 4 + len(_FIGURES)]:
        column.justify = "right"
    verdicts: Counter[str] = Counter()
    for run_dir in _runs(out):
        found = _result(run_dir)
        if isinstance(found, str):
            verdicts[_COUNTED[found]] += 1
            table.add_row("", "", "", Text(found, "dim"), *[""] * len(_FIGURES), Text(run_dir.name))
        elif scenario is None or found["scenario"] == scenario:
            verdict = Judgement(found["verdict"])
            verdicts[verdict] += 1
            cells = [found["started_at"], found["scenario"], str(found["seed"])]
            table.add_row(*map(Text, cells), Text(verdict, _STYLE[verdict]), *_figures(found), Text(run_dir.name))
    total = sum(verdicts.values())
    if not total:
        raise UsageError(f"{out} has no run" + (f" of {scenario}" if scenario else ""))
    return table, f"{total:,} {'run' if total == 1 else 'runs'}: " + ", ".join(
        f"{count:,} {name}" for name, count in sorted(verdicts.items())
    )


def _runs(out: Path) -> list[Path]:
    """Returns the directories of runs. One has a plan from its first moment on; what else lies there is none."""
    try:
        return sorted(path for path in out.iterdir() if path.is_dir() and not path.is_symlink() and _has_plan(path))
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from error


def _has_plan(path: Path) -> bool:
    """Whether it has, or cannot be looked into."""
    try:
        return (path / PLAN).exists()
    except OSError:
        return True


def _result(run_dir: Path) -> dict[str, Any] | str:
    """Returns what a run has left; or in a word why there is nothing to tell of it: one run that is damaged must not hide the others."""
    try:
        with readable(run_dir):
            if not (run_dir / RESULT).exists():
                return _NO_RESULT
            found = read_result(run_dir)
            _figures(found)
    except UsageError:
        return _UNREADABLE
    return found


def _figures(found: dict[str, Any]) -> list[str]:
    outcome, timing = found["outcome"], found["timing"]
    p95 = timing["latency_s"]["p95"]
    return [
        _count(found["ingress"]["offered"]),
        _count(outcome["stored"]),
        _count(_sum(outcome[name] for name in ("dead_lettered", "alerted", "rejected"))),
        _count(_sum(found["anomalies"].values())),
        "-" if p95 is None else f"{p95:.2f} s",
        f"{timing['records_per_s']:,.0f}",
    ]


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"
