"""Runs the conformance suite against an emulator: one test per rule that AWS documents (tests/conformance), each told as kept or not."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UnknownVerdictError, UsageError
from harness.shipped import data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = "http://localhost:3000"
"""The origin of the web page that may ask an emulator which is started for the suite."""

_FOLDER = "tests/conformance"
_DOCS = "https://docs.aws.amazon.com/"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: where AWS documents it, and whether the emulator keeps it ("kept", "not kept" or "skipped"). `reason` is why ours is known not to."""

    id: str
    service: str
    rule: str
    page: str
    outcome: str
    reason: str

    @property
    def url(self) -> str:
        """Returns the page's address."""
        return _DOCS + self.page


def services() -> list[str]:
    """Returns the names of the services that have rules."""
    return sorted(path.stem.removeprefix("test_") for path in data(_FOLDER).glob("test_*.py"))


def verify(names: Sequence[str]) -> None:
    """Raises UsageError for a service without rules, or where the suite cannot run here."""
    known = services()
    for name in names:
        if name not in known:
            message = f"{name}: no such service; expected {', '.join(known)}"
            raise UsageError(message)
    if importlib.util.find_spec("pytest") is None:
        message = "the conformance suite needs pytest: pip install 'pipeproof[conformance]'"
        raise UsageError(message)


def check(endpoint: str, python_runtime: str, names: Sequence[str], workers: int) -> Iterator[Rule]:
    """Yields the rules as they are decided. Raises UnknownVerdictError where the suite does not run."""
    folder = data(_FOLDER)
    known = services()
    with tempfile.TemporaryDirectory() as work:
        into = Path(work) / "rules.jsonl"
        into.touch()
        command = [
            sys.executable, "-m", "pytest", *(str(folder / f"test_{name}.py") for name in names or known), "--endpoint", endpoint,
            "--python-runtime", python_runtime, "--rules-json", str(into), "-q", "--no-header", "-p", "no:cacheprovider",
        ]  # fmt: skip
        if workers > 1 and importlib.util.find_spec("xdist") is not None:
            command += ["-n", str(workers)]
        environment = {**os.environ, "PYTHONPATH": str(folder.parents[1])}
        with (Path(work) / "output").open("w+") as output, into.open() as lines:
            process = subprocess.Popen(command, cwd=folder.parents[1], env=environment, stdout=output, stderr=subprocess.STDOUT)
            try:
                yield from _told(process, lines)
            finally:
                process.terminate()
                process.wait()
            if process.returncode not in {0, 1}:
                output.seek(0)
                message = f"the conformance suite did not run: {output.read()[-2000:]}"
                raise UnknownVerdictError(message)


def _told(process: subprocess.Popen[bytes], lines: Iterator[str]) -> Iterator[Rule]:
    """Yields what the suite writes down while it runs. A rule of several tests is told once for each."""
    ended = False
    while True:
        for line in lines:
            yield Rule(**json.loads(line))
        if ended:
            return
        try:
            process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            continue
        ended = True


def counts(rules: Sequence[Rule]) -> dict[str, Counter[str]]:
    """Returns how many rules of each service have which outcome."""
    made: dict[str, Counter[str]] = {}
    for rule in sorted(rules, key=lambda one: one.service):
        made.setdefault(rule.service, Counter())[rule.outcome] += 1
    return made


def markdown(rules: Sequence[Rule], emulator: str) -> str:
    """Returns docs/conformance.md: the table per service, and what is not kept."""
    table = counts(rules)
    kept = sum(counter["kept"] for counter in table.values())
    lines = [
        "# Conformance",
        "",
        "One test per rule that AWS documents, in `tests/conformance`; each test names its page.",
        "`pipeproof conformance` runs them against the emulator, `pipeproof conformance URL` against any other.",
        "",
        f"{emulator}: {kept} of {len(rules)} rules are kept. This page is written by `pipeproof conformance --markdown`.",
        "",
        "| service | kept | not kept |",
        "|---|---|---|",
        *(f"| {service} | {counter['kept']} | {counter['not kept']} |" for service, counter in table.items()),
        "",
        "## Not kept",
        "",
    ]
    broken = sorted((rule for rule in rules if rule.outcome == "not kept"), key=lambda one: (one.service, one.id))
    lines += [f"- {rule.service}: {rule.rule} ([page]({rule.url})) {rule.reason}".rstrip() for rule in broken] or [
        "All rules are kept."
    ]
    return "\n".join(lines) + "\n"
