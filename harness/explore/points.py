"""Where faults can be: the calls and invocations of a run, from its journal."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.documents import read_json
from harness.errors import UsageError
from harness.faults.plan import HARNESS, PARTIAL
from harness.run.run_dir import PLAN, readable
from harness.run.trace import heads

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Point:
    """`count` calls of an operation (`s3.PutObject`) by a function or the harness, by its logical id; or as many invocations of a function, where `call` is empty.
    `calls` is how many calls the busiest of its invocations made."""

    who: str
    call: str
    count: int
    calls: int = 0

    @property
    def address(self) -> dict[str, Any]:
        """Returns the part of a fault that addresses it."""
        if not self.call:
            return {"function": self.who}
        service, _, operation = self.call.partition(".")
        return {"service": service, "operation": operation, "caller": self.who}

    @property
    def window(self) -> str:
        """Returns the key of a fault that says which events it meets."""
        return "calls" if self.call else "invocations"

    @property
    def is_partial(self) -> bool:
        """Returns whether the answer tells the entries that failed."""
        return tuple(self.call.partition(".")[::2]) in PARTIAL

    @property
    def name(self) -> str:
        return f"{self.who} → {self.call}" if self.call else self.who


def points(run_dir: Path) -> list[Point]:
    """Returns the points of a run, by name. Raises UsageError for a directory that is none of a run with a journal."""
    with readable(run_dir):
        made = {physical: name for name, physical in read_json(run_dir / PLAN, "plan")["names"].items()}
        found: Counter[tuple[str, str]] = Counter()
        of_invocation: Counter[str] = Counter()
        most: Counter[str] = Counter()
        for entry, _ in heads(run_dir):
            who = made.get(entry["name"], entry["name"])
            if entry["kind"] == "invocation":
                found[who, ""] += 1
                most[who] = max(most[who], of_invocation.pop(entry["id"], 0))
            elif entry["kind"] == "call" and (who == HARNESS or entry["name"] in made):
                found[who, entry["call"]] += 1
                of_invocation[entry.get("invocation") or ""] += 1
    if not found:
        raise UsageError(f"{run_dir} has no journal: nothing is known of what a fault could meet")
    return [Point(who, call, count, 0 if call else most[who]) for (who, call), count in sorted(found.items())]
