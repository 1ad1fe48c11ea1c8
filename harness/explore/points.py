"""Where faults can be: the calls and invocations of a run, from its journal."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.documents import read_json
from harness.errors import UsageError
from harness.faults.carried import last_part, named_in
from harness.faults.plan import HARNESS, LOCALSTACK, PARTIAL
from harness.run.journal import entries
from harness.run.run_dir import PLAN, readable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

# Who calls, as the journal and as a fault names it.
_CALLERS = {HARNESS: HARNESS, "a state machine": LOCALSTACK}


@dataclass(frozen=True, slots=True)
class Point:
    """`count` calls of an operation (`s3.PutObject`) on a resource by a function, a state machine (LOCALSTACK) or the harness, by logical ids; or as many invocations of a
    function, where `call` is empty. `calls` is how many calls the busiest of its invocations made. `resource` is empty where the call names none of the stack."""

    who: str
    call: str
    count: int
    calls: int = 0
    resource: str = ""

    @property
    def address(self) -> dict[str, Any]:
        """Returns the part of a fault that addresses it."""
        if not self.call:
            return {"function": self.who}
        service, _, operation = self.call.partition(".")
        of = {"resource": self.resource} if self.resource else {}
        return {"service": service, "operation": operation, "caller": self.who, **of}

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
        return f"{self.who} → {self.call}" + (f" of {self.resource}" if self.resource else "") if self.call else self.who


def points(run_dir: Path, resources: Collection[str] = ()) -> list[Point]:
    """Returns the points of a run, by name. Calls are told apart by the one of these resources that they name. Raises UsageError for a directory that is none of a run with a journal."""
    with readable(run_dir):
        made = {physical: name for name, physical in read_json(run_dir / PLAN, "plan")["names"].items() if physical}
        named = {last_part(physical): name for physical, name in made.items() if name in resources}
        found: Counter[tuple[str, str, str]] = Counter()
        of_invocation: Counter[str] = Counter()
        most: Counter[str] = Counter()
        for entry, _ in entries(run_dir):
            who = made.get(entry["name"], entry["name"])
            if entry["kind"] == "invocation":
                found[who, "", ""] += 1
                most[who] = max(most[who], of_invocation.pop(entry["id"], 0))
            elif entry["kind"] == "call" and (caller := _CALLERS.get(who, who if entry["name"] in made else None)):
                found[caller, entry["call"], _resource(entry["carried"], named)] += 1
                of_invocation[entry.get("invocation") or ""] += 1
    if not found:
        raise UsageError(f"{run_dir} has no journal: nothing is known of what a fault could meet")
    return [Point(who, call, count, 0 if call else most[who], resource) for (who, call, resource), count in sorted(found.items())]


def _resource(carried: str, resources: Mapping[str, str]) -> str:
    """Returns the logical id of the first resource that a request names; an empty one for a request that was too long to be kept."""
    try:
        request = json.loads(carried)
    except ValueError:
        return ""
    return next((resources[name] for name in named_in(request) if name in resources), "") if isinstance(request, dict) else ""
