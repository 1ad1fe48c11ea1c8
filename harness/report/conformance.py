"""The conformance suite on the terminal: progress, the table per service, and what is not kept."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from harness.conformance import PAGE, check, counts, markdown, verify
from harness.emulator.choose import choose_own
from harness.report.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from harness.conformance import Rule

_TELLS_EVERY_S = 10


def run_rules(
    console: Console,
    endpoint: str | None,
    emulator: str,
    names: Sequence[str],
    python_runtime: str,
    workers: int,
    page: Path | None,
) -> int:
    """Returns the exit code: 0 where only rules are broken that are known to be."""
    verify(names)
    if endpoint is not None:
        return _checked(console, endpoint, endpoint, names, python_runtime, workers, page)
    with tempfile.TemporaryDirectory() as folder:
        chosen, why = choose_own(emulator, Path(folder) / "emulator.log", origins=[PAGE])
        for step in chosen.prepare():
            console.print(f"  … {step}", highlight=False)
        running = chosen.start()
        try:
            return _checked(console, why, running.endpoint, names, running.python_runtime, workers, page)
        finally:
            chosen.stop()


def _checked(
    console: Console, told: str, endpoint: str, names: Sequence[str], python_runtime: str, workers: int, page: Path | None
) -> int:
    rules: list[Rule] = []
    with progress(console, _TELLS_EVERY_S) as tell:
        for rule in check(endpoint, python_runtime, names, workers):
            rules.append(rule)
            tell(f"{len(rules)} rules, {sum(one.outcome == 'not kept' for one in rules)} not kept: {rule.service}")
            if rule.outcome == "not kept":
                console.print(f"  not kept  {rule.service}: {rule.rule}\n            {rule.url}", highlight=False, soft_wrap=True)
    console.print(_table(rules))
    kept = sum(rule.outcome == "kept" for rule in rules)
    console.print(f"{kept} of {len(rules)} rules kept by {told}", highlight=False)
    if page is not None:
        page.write_text(markdown(rules, told), encoding="utf-8")
    return int(any(rule.outcome == "not kept" and not rule.reason for rule in rules))


def _table(rules: Sequence[Rule]) -> Table:
    table = Table("service", "kept", "not kept", "skipped", box=None, pad_edge=False)
    for service, counter in counts(rules).items():
        table.add_row(service, *(str(counter[outcome]) for outcome in ("kept", "not kept", "skipped")))
    return table
