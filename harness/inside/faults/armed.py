"""The armed plan of each AWS account: counts the events of every address, decides, and logs what fires."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.faults.carried import holds, text_of_event
from harness.faults.plan import LambdaFault, ServiceFault

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.faults.plan import Plan
    from harness.inside.callers import Caller

Selection = Callable[[str], bool]
"""Which kinds of faults an event is one of."""


class ArmedFault:
    """One fault with its counts. `seen` counts the events that matched its address, `firings` those it met; `ended` is set when the plan
    is disarmed: nothing of it happens after that. `is_followed` says whether another fault names it in `after` or `repeats`."""

    def __init__(self, fault: ServiceFault | LambdaFault, ended: threading.Event, *, is_followed: bool = False) -> None:
        self.fault = fault
        self.seen = 0
        self.over = False
        self.ended = ended
        self.firings: list[dict[str, Any]] = []
        self._owed = 0
        self.is_followed = is_followed
        self._attempts: dict[tuple[str, str], set[int]] = {}
        self._window = fault.window
        self._lock = threading.Lock()

    def next_event(self, *, taken: bool = False) -> int | None:
        """Counts an event; its number if the fault meets it. One that another fault has taken is made up for with the next free one."""
        with self._lock:
            self.seen += 1
            if self.over:
                return None
            holds = self._window.holds(self.seen, self.fault.seed)
            if taken:
                self._owed += holds
                return None
            if not holds:
                if not self._owed:
                    return None
                self._owed -= 1
            return self.seen

    def awaits_another(self) -> bool:
        """Returns whether the next event would meet the fault."""
        with self._lock:
            return not self.over and bool(self._window.holds(self.seen + 1, self.fault.seed))

    def came_to_nothing(self) -> None:
        """Lets the next event make up for one that the fault had taken, and that the service itself refused or whose init failed."""
        with self._lock:
            self._owed += 1

    def fired(self, number: int, **matched: Any) -> None:
        """Logs a firing: the event's number, the time in milliseconds since the epoch, and what it met."""
        firing = {
            "event": number,
            "at_ms": int(time.time() * 1000),
            **{key: value for key, value in matched.items() if value is not None},
        }
        with self._lock:
            self.firings.append(firing)

    def met(self, function: str, items: Collection[str], attempt: int) -> None:
        """Notes that it met an invocation with these items, or a call of it. `attempt` is 0 where the function did not get the event."""
        with self._lock:
            for item in items:
                self._attempts.setdefault((function, item), set()).add(attempt)

    def has_met(self, caller: Caller) -> bool:
        """Returns whether it met the invocation that the caller runs."""
        return any(caller.attempt in attempts for attempts in self._attempts_of(caller))

    def is_repeated_by(self, caller: Caller) -> bool:
        """Returns whether the invocation that the caller runs has an item of another one that it met."""
        return any(attempts - {caller.attempt} for attempts in self._attempts_of(caller))

    def _attempts_of(self, caller: Caller) -> list[set[int]]:
        """Returns for each item of the invocation that the caller runs in which attempts it was met."""
        if not self._attempts:
            return []
        items = caller.items()
        with self._lock:
            return [set(self._attempts.get((caller.function, item), ())) for item in items]

    def got_through(self) -> None:
        """Notes that a call which the fault did not meet has succeeded."""
        if isinstance(self.fault, ServiceFault) and self.fault.until_success:
            self.over = True


class Armed:
    """A plan that is armed, by address. `run` names who armed it."""

    def __init__(self, plan: Plan, run: str) -> None:
        self.run = run
        self.ended = threading.Event()
        faults = [fault for fault in plan if isinstance(fault, ServiceFault | LambdaFault)]
        followed = {fault.follows for fault in faults if isinstance(fault, ServiceFault)}
        self.faults = [ArmedFault(fault, self.ended, is_followed=fault.whole in followed) for fault in faults]
        self._by_service: dict[str, list[ArmedFault]] = {}
        self._by_function: dict[str, list[ArmedFault]] = {}
        for armed in self.faults:
            if isinstance(armed.fault, ServiceFault):
                self._by_service.setdefault(armed.fault.service, []).append(armed)
            else:
                self._by_function.setdefault(armed.fault.function, []).append(armed)

    def of_service(self, service: str) -> list[ArmedFault]:
        return self._by_service.get(service, [])

    def may_meet(self, fault: Any, caller: Caller | None) -> bool:
        """Returns whether a call of this caller, None where it is no function, is where the fault's `after` or `repeats` has it; True where the fault has neither."""
        if fault.follows is None:
            return True
        if caller is None:
            return False
        earlier = [armed for armed in self.faults if armed.fault.whole == fault.follows]
        return any(one.has_met(caller) if fault.after else one.is_repeated_by(caller) for one in earlier)

    def of_function(self, function: str, matches: Selection, payload: bytes = b"") -> list[tuple[ArmedFault, int]]:
        """Returns the Lambda faults that meet this event of a function, with its number in each one's count: any delay, and the first other one.
        What a fault after that would have met, it makes up for with its next event. `payload` is the invocation's event."""
        met: list[tuple[ArmedFault, int]] = []
        taken = False
        text = None
        for armed in self._by_function.get(function, []):
            delays = armed.fault.kind == "lambda_slow"
            if not matches(armed.fault.kind):
                continue
            if armed.fault.carrying:
                text = text_of_event(payload) if text is None else text
                if not holds(text, armed.fault.carrying):
                    continue
            number = armed.next_event(taken=taken and not delays)
            if number is not None:
                met.append((armed, number))
                taken = taken or not delays
        return met

    def awaits(self, function: str, kind: str, payload: bytes) -> bool:
        """Returns whether a fault of a kind is addressed to what this event carries, and its next event would meet it."""
        text = None
        for armed in self._by_function.get(function, []):
            if armed.fault.kind == kind and armed.fault.carrying and armed.awaits_another():
                text = text_of_event(payload) if text is None else text
                if holds(text, armed.fault.carrying):
                    return True
        return False

    def log(self) -> list[dict[str, Any]]:
        """Returns per fault: id, how many events matched its address, and its firings in the order of their events."""
        return [
            {"id": armed.fault.id, "seen": armed.seen, "firings": sorted(armed.firings, key=lambda firing: firing["event"])}
            for armed in self.faults
        ]


_armed: dict[str, Armed] = {}


def arm(account: str, plan: Plan, run: str) -> Armed:
    """Replaces the account's plan, whoever armed it: what a killed run left does not stay."""
    disarm(account)
    armed = _armed[account] = Armed(plan, run)
    return armed


def disarm(account: str) -> None:
    """Ends the account's faults, also those under way."""
    if (armed := _armed.pop(account, None)) is not None:
        armed.ended.set()


def of_account(account: str) -> Armed | None:
    return _armed.get(account)


def lambda_faults(account: str, function: str, matches: Selection, payload: bytes = b"") -> list[tuple[ArmedFault, int]]:
    """Returns the faults that meet this event of a function of the account."""
    armed = _armed.get(account)
    return armed.of_function(function, matches, payload) if armed else []
