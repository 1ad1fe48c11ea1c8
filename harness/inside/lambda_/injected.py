"""What the fault plan has in store for the invocations and inits of one function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.faults.plan import LambdaFault
from harness.inside.faults import armed
from harness.inside.faults.batch import batch_of

if TYPE_CHECKING:
    from harness.inside.faults.armed import ArmedFault

_INIT, _THROTTLED, _SLOW = "lambda_init", "lambda_throttled", "lambda_slow"


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that this invocation meets; `number` is the event's."""

    event: ArmedFault
    number: int

    @property
    def fault(self) -> LambdaFault:
        assert isinstance(self.event.fault, LambdaFault)
        return self.event.fault

    def fired(self, request_id: str, payload: bytes) -> None:
        self.event.fired(self.number, request_id=request_id, call=f"invocation of {self.fault.function}", batch=batch_of(payload))


def into_invocation(account: str, function: str) -> list[Injection]:
    """Returns the next invocation's faults: delays, and at most one of the others."""
    return _met(account, function, lambda kind: kind not in {_INIT, _THROTTLED})


def into_init(account: str, function: str) -> bool:
    """Returns whether the next init is to be killed."""
    met = _met(account, function, lambda kind: kind == _INIT)
    for injection in met:
        injection.event.fired(injection.number, call=f"init of {function}")
    return bool(met)


def into_assignment(account: str, function: str) -> bool:
    """Returns whether the next invocation is to be throttled."""
    met = _met(account, function, lambda kind: kind == _THROTTLED)
    for injection in met:
        injection.event.fired(injection.number, call=f"invocation of {function}")
    return bool(met)


def _met(account: str, function: str, matches: armed.Selection) -> list[Injection]:
    return [Injection(event, number) for event, number in armed.lambda_faults(account, function, matches)]
