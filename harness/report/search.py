"""What `pipeproof explore` has found, as a page: which kinds of faults were tried where, and what came of them."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.accounting.verdict import Judgement
from harness.errors import UsageError
from harness.explore.schedules import Schedule
from harness.explore.words import kills
from harness.faults.plan import HARNESS
from harness.report.html.page import REPORT, write_search

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.explore.search import Explored, Finding

PAGE = "search.html"
_KINDS = (
    "denied", "throttle", "error", "partial", "reply_lost", "lambda_error_before", "lambda_error_after", "lambda_throttled", "lambda_killed_during", "lambda_killed_after", "latency", "lambda_slow",
)  # fmt: skip
_OUTCOMES = (Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN)


def left_page(name: str, came: Explored, scenarios: Sequence[Path], folder: Path, causes: Sequence[str] = ()) -> str:
    """Writes search.html into the directory of a search, and returns a line that says where it is, or why there is none. `scenarios` are those that the findings were
    written to, `causes` say for each finding what causes it, where a second emulator was asked."""
    path = folder / PAGE
    try:
        write_search(document(name, came, scenarios, folder, causes), path)
    except (OSError, UsageError) as error:
        return f"Report: none could be written: {error}"
    return f"Report: {path.resolve()}"


def document(name: str, came: Explored, scenarios: Sequence[Path], folder: Path, causes: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the page as JSON has it: of each point and kind how many schedules of one fault survived, lost records, and met nothing."""
    cells: Counter[tuple[object, ...]] = Counter()
    for schedule, judgement in came.outcomes:
        if len(schedule.faults) == 1:
            cells[(*schedule.at[0], judgement)] += 1
    return {
        "scenario": name,
        "verdict": came.judgement.value,
        "doubt": came.doubt,
        "counts": {key: getattr(came, key) for key in ("not_tried", "tried", "survived", "lost", "unreached", "left", "known")},
        "undecided": [[schedule.name, "; ".join(tried.reasons)] for schedule, tried in came.undecided],
        "kinds": _KINDS,
        "points": [
            {
                "who": point.who,
                "call": point.call,
                "resource": point.resource,
                "count": point.count,
                "cells": [[cells[point.who, point.call, point.resource, kind, one] for one in _OUTCOMES] for kind in _KINDS],
            }
            for point in came.points
            if point.who != HARNESS
        ],
        "findings": [
            _finding(finding, path, folder) | {"cause": cause}
            for finding, path, cause in zip(came.findings, scenarios, causes or [""] * len(scenarios), strict=True)
        ],
        "kills": {function: {call: one.value for call, one in of.items()} for function, of in kills(came.outcomes).items()},
        "outcomes": [[schedule.name, judgement.value] for schedule, judgement in came.outcomes],
    }


def _finding(finding: Finding, path: Path, folder: Path) -> dict[str, Any]:
    tried = finding.tried
    return {
        "steps": [Schedule((fault,), 0).name for fault in finding.faults],
        "anomalies": {name: count for name, count in tried.anomalies.items() if count},
        "reasons": tried.reasons,
        "reproduced": finding.reproduced,
        "runs": finding.runs,
        "alike": finding.alike,
        "scenario": str(path),
        "report": os.path.relpath(os.path.join(tried.run_dir, REPORT), folder),  # noqa: PTH118 - a text, as the page has it
    }
