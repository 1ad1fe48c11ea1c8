"""Where faults can be: the calls and invocations of a run, from its journal."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.documents import read_json
from harness.errors import UsageError
from harness.faults.carried import items_of_event, last_part, named_in
from harness.faults.plan import HARNESS, LOCALSTACK, PARTIAL
from harness.run.journal import entries
from harness.run.run_dir import PLAN, readable
from harness.run.trace import faults_ended_ms, faults_met

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

# Who makes which call of which resource, as in a point.
_Address = tuple[str, str, str]
_READS = ("Get", "List", "Describe", "Query", "Scan", "Head", "BatchGet")
# Who calls, as the journal and as a fault names it.
_CALLERS = {HARNESS: HARNESS, "a state machine": LOCALSTACK}


@dataclass(frozen=True, slots=True)
class Point:
    """`count` calls of an operation (`s3.PutObject`) on a resource by a function, a state machine (LOCALSTACK) or the harness, by logical ids; or as many invocations of a
    function, where `call` is empty. Those that begin once the faults have ended do not count: `count` may be 0. `calls` is how many calls the busiest of its invocations made. `resource` is empty where the call names none of the stack. `behind` says
    where some of the calls came behind a fault: in the invocation that it met (`after`), and in one that repeats it (`repeats`)."""

    who: str
    call: str
    count: int
    calls: int = 0
    resource: str = ""
    behind: tuple[str, ...] = ()

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
    def only_reads(self) -> bool:
        """Returns whether the operation changes nothing: to lose its answer is no more than to refuse it."""
        return self.call.partition(".")[2].startswith(_READS)

    @property
    def name(self) -> str:
        return f"{self.who} → {self.call}" + (f" of {self.resource}" if self.resource else "") if self.call else self.who


class _Behind:
    """Follows a journal, and knows which points are called behind a fault: in the invocation that it met, and in those that repeat it."""

    def __init__(self, met: Collection[str]) -> None:
        self._met = set(met)
        self._begun: set[str] = set()
        self._calls: dict[str, set[_Address]] = {}
        self._failed: set[tuple[str, str]] = set()
        self._after: set[_Address] = set()
        self._repeats: set[_Address] = set()

    def call(self, entry: Mapping[str, Any], address: _Address) -> None:
        invocation = entry["invocation"]
        if not invocation:
            return
        if entry["id"] in self._met:
            self._begun.add(invocation)
            return
        if invocation in self._begun:
            self._after.add(address)
        self._calls.setdefault(invocation, set()).add(address)

    def invocation(self, entry: Mapping[str, Any]) -> None:
        """Takes an invocation that has ended, as all its calls have. One that is tried again may keep its id."""
        calls = self._calls.pop(entry["id"], set())
        items = {(entry["name"], item) for item in items_of_event(entry["carried"])}
        if not self._failed.isdisjoint(items):
            self._repeats |= calls
        if entry["id"] in self._begun or entry["id"] in self._met:
            self._failed |= items
            self._begun.discard(entry["id"])
            self._met.discard(entry["id"])

    def of(self, address: _Address) -> tuple[str, ...]:
        return tuple(key for key, found in (("after", self._after), ("repeats", self._repeats)) if address in found)


def points(run_dir: Path, resources: Collection[str] = ()) -> list[Point]:
    """Returns the points of a run, by name. Calls are told apart by the one of these resources that they name. Raises UsageError for a directory that is none of a run with a journal."""
    with readable(run_dir):
        made = {physical: name for name, physical in read_json(run_dir / PLAN, "plan")["names"].items() if physical}
        named = {last_part(physical): name for physical, name in made.items() if name in resources}
        found: Counter[_Address] = Counter()
        of_invocation: Counter[str] = Counter()
        most: Counter[str] = Counter()
        behind = _Behind(faults_met(run_dir).keys())
        ended_ms = faults_ended_ms(run_dir)
        for entry, _ in entries(run_dir):
            who = made.get(entry["name"], entry["name"])
            may_be_met = entry.get("began_ms", entry["at_ms"]) <= ended_ms
            if entry["kind"] == "invocation":
                found[who, "", ""] += may_be_met
                most[who] = max(most[who], of_invocation.pop(entry["id"], 0))
                behind.invocation(entry)
            elif entry["kind"] == "call" and (caller := _CALLERS.get(who, who if entry["name"] in made else None)):
                address = caller, entry["call"], _resource(entry["carried"], named)
                found[address] += may_be_met
                of_invocation[entry.get("invocation") or ""] += 1
                if may_be_met:
                    behind.call(entry, address)
    if not found:
        raise UsageError(f"{run_dir} has no journal: nothing is known of what a fault could meet")
    return [
        Point(*address[:2], count, 0 if address[1] else most[address[0]], address[2], behind.of(address))
        for address, count in sorted(found.items())
    ]


def _resource(carried: str, resources: Mapping[str, str]) -> str:
    """Returns the logical id of the first resource that a request names; an empty one for a request that was too long to be kept."""
    try:
        request = json.loads(carried)
    except ValueError:
        return ""
    return next((resources[name] for name in named_in(request) if name in resources), "") if isinstance(request, dict) else ""
