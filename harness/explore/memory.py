"""What a search knows when it ends: a file beside what was found, from which the next one goes on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from harness.accounting.verdict import Judgement
from harness.documents import MISTYPED, read_json
from harness.errors import UsageError
from harness.explore.search import Known
from harness.stack.template import root_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.explore.schedules import Schedule
    from harness.scenario.scenario import Scenario

_NOT_CODE = {"__pycache__", ".git", ".tox", ".venv", "node_modules", "runs", "found", ".pipeproof"}


def code_of(scenario: Scenario, seed: int | None, records: int | None) -> str:
    """Returns a hash of the scenario without its faults, of its load, and of the files that lie with its template and with the code that this names."""
    document = {key: value for key, value in scenario.document().items() if key not in {"faults", "chaos", "description"}}
    root = root_of(scenario.stack.template)
    document["stack"]["template"] = str(scenario.stack.template.relative_to(root))
    found = hashlib.sha256(json.dumps([document, seed, records], sort_keys=True, default=str).encode())
    for path in sorted(path for path in root.rglob("*") if path.is_file() and not _NOT_CODE & set(path.relative_to(root).parts)):
        found.update(f"{path.relative_to(root)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def read_known(path: Path, code: str) -> Known:
    """Returns what an earlier search has noted; nothing where it has not. Raises UsageError for a file that is no such note."""
    if not path.exists():
        return Known()
    try:
        document = read_json(path, "what an earlier search knows")
        survived = frozenset(one["schedule"] for one in document["tried"] if one["outcome"] == Judgement.PASS.value)
        tried = frozenset(str(one["schedule"]) for one in document["tried"])
        same = document["code"] == code
    except MISTYPED as error:
        raise UsageError(f"{path} is no note of `pipeproof explore`: remove it, or do without --resume") from error
    return Known(survived if same else frozenset(), tried if not same else frozenset())


def write_known(path: Path, code: str, before: Known, outcomes: Sequence[tuple[Schedule, Judgement]]) -> None:
    """Notes what was tried, beside what is known to survive from `before`. Raises UsageError where it cannot be written."""
    tried = dict.fromkeys(sorted(before.survived), Judgement.PASS) | {schedule.name: judgement for schedule, judgement in outcomes}
    document = {"code": code, "tried": [{"schedule": name, "outcome": judgement.value} for name, judgement in tried.items()]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
