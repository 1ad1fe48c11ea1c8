"""What a search knows when it ends: a file beside what was found, from which the next one goes on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.accounting.verdict import Judgement
from harness.documents import MISTYPED, read_json
from harness.errors import UsageError
from harness.explore.search import Known
from harness.faults.plan import RecordFault, dump
from harness.stack.template import load_template

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from harness.explore.schedules import Schedule
    from harness.scenario.scenario import Scenario

# What in a template may name files.
_LOCAL = ("CodeUri", "ContentUri", "DefinitionUri", "Code", "Location", "TemplateURL")
# Another one means that schedules with the names of earlier ones do something else.
_FORM = 2
_NOT_CODE = {"__pycache__", "node_modules", "runs", "found"}


def code_of(scenario: Scenario, seed: int | None, records: int | None) -> str:
    """Returns a hash of the scenario without its faults of calls and functions, of its load, and of the files that it and its template name."""
    document = {key: value for key, value in scenario.document().items() if key not in {"faults", "chaos", "description"}}
    document["faults"] = dump(tuple(fault for fault in scenario.faults if isinstance(fault, RecordFault)))
    template = scenario.stack.template.resolve()
    named = [Path(text.partition(":")[0]) for text in _texts(document) if _is_file(text.partition(":")[0])]
    local = [
        template.parent / text
        for text in _texts(load_template(template), _LOCAL)
        if not Path(text).is_absolute() and "://" not in text
    ]
    found = hashlib.sha256(json.dumps([_FORM, seed, records], default=str).encode())
    files = {template}
    for path in (*named, *local):
        with contextlib.suppress(OSError, ValueError):
            files.update(_files(path.resolve()))
    for path in sorted(files):
        found.update(f"{os.path.relpath(path, template.parent)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    # Where the files are is no part of it.
    parts = {**document, "stack": {**document["stack"], "template": template.name}}
    dumped = json.dumps(parts, sort_keys=True, default=str)
    for path in named:
        dumped = dumped.replace(str(path), os.path.relpath(path, template.parent))
    found.update(dumped.encode())
    return found.hexdigest()[:16]


def _texts(value: object, keys: Collection[str] | None = None) -> Iterator[str]:
    """Yields the texts in a document, or only those below one of the keys."""
    if isinstance(value, str) and keys is None:
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, None if keys is None or key in keys else keys)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, keys)


def _is_file(text: str) -> bool:
    """Returns whether a text is the whole path of a file."""
    try:
        return text.startswith("/") and Path(text).is_file()
    except (OSError, ValueError):
        return False


def _files(path: Path) -> Iterator[Path]:
    """Yields a file, or those of a folder, without what a run or a tool leaves there."""
    if path.is_file():
        yield path
    elif path.is_dir() and path != Path(path.anchor):
        for inner in path.iterdir():
            if not inner.name.startswith(".") and inner.name not in _NOT_CODE:
                yield from _files(inner)


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
