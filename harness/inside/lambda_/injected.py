"""What the fault plan has in store for the invocations and inits of one function."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.faults.carried import items_of_event
from harness.faults.plan import LambdaFault
from harness.inside import journal
from harness.inside.faults import armed
from harness.inside.faults.batch import batch_of

if TYPE_CHECKING:
    from localstack.services.lambda_.invocation.lambda_models import Invocation as ServiceInvocation

    from harness.inside.faults.armed import ArmedFault

_INIT, _THROTTLED = "lambda_init", "lambda_throttled"

INVOCATION: ContextVar[ServiceInvocation | None] = ContextVar("invocation", default=None)
"""LocalStack's invocation that this thread serves: it finds an environment for it, starts one where none is free, and runs it there."""


def served() -> tuple[str, bytes]:
    """Returns the request id and the event of the invocation that this thread serves."""
    invocation = INVOCATION.get()
    return (invocation.request_id, invocation.payload) if invocation else ("", b"")


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault that this invocation meets; `number` is the event's, `attempt` the caller's, 0 where the function does not get the event."""

    event: ArmedFault
    number: int
    attempt: int = 0

    @property
    def fault(self) -> LambdaFault:
        assert isinstance(self.event.fault, LambdaFault)
        return self.event.fault

    def fired(self, request_id: str, payload: bytes) -> None:
        self.event.fired(self.number, request_id=request_id, call=f"invocation of {self.fault.function}", batch=batch_of(payload))
        if self.event.is_followed:
            self.event.met(self.fault.function, items_of_event(payload), self.attempt)


def into_invocation(account: str, function: str, payload: bytes, attempt: int) -> list[Injection]:
    """Returns the faults of the invocation with this event: delays, and at most one of the others."""
    return _met(account, function, lambda kind: kind not in {_INIT, _THROTTLED}, payload, attempt)


def into_init(account: str, function: str) -> bool:
    """Returns whether the next init is to be killed. It is addressed by the event of the invocation that it is made for."""
    request_id, payload = served()
    met = _met(account, function, lambda kind: kind == _INIT, payload)
    for injection in met:
        injection.event.fired(injection.number, request_id=request_id, call=f"init of {function}", batch=batch_of(payload))
    journal.init(account, function, request_id, payload)
    return bool(met)


def awaits_init(account: str, function: str) -> bool:
    """Returns whether a fault is meant for an init that is made for the invocation that this thread serves. A replay has such faults: in the run that it
    repeats no environment was free."""
    plan = armed.of_account(account)
    return plan is not None and plan.awaits(function, _INIT, served()[1])


def into_assignment(account: str, function: str) -> bool:
    """Returns whether the invocation that this thread serves is to be throttled."""
    request_id, payload = served()
    met = _met(account, function, lambda kind: kind == _THROTTLED, payload)
    for injection in met:
        injection.fired(request_id, payload)
    return bool(met)


def _met(account: str, function: str, matches: armed.Selection, payload: bytes = b"", attempt: int = 0) -> list[Injection]:
    return [Injection(event, number, attempt) for event, number in armed.lambda_faults(account, function, matches, payload)]
