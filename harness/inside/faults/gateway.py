"""Handlers of LocalStack's gateway that make service faults happen to the AWS calls that they are addressed to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from localstack.aws.protocol.serializer import create_serializer

from harness.faults.carried import holds, names, text_of_call
from harness.faults.plan import ServiceFault
from harness.faults.window import Window
from harness.inside import callers, journal
from harness.inside.call import Planned
from harness.inside.call import of as call_of
from harness.inside.connections import cut
from harness.inside.faults import armed, errors
from harness.inside.faults.batch import batch_of
from harness.inside.faults.partial import BATCHES

if TYPE_CHECKING:
    from collections.abc import Callable

    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from localstack.http import Response

    from harness.inside.faults.armed import ArmedFault


def on_request(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Handles a parsed request: raises the service's error, cuts the connection, or plans what happens to the answer.

    A call meets any delay, and at most one other fault; what those after it would have met, they make up for with their next call."""
    plan = armed.of_account(context.account_id) if context.operation is not None else None
    if plan is None:
        return
    call_of(context).began_ms = time.time_ns() / 1_000_000
    through = call_of(context).through
    carried = _Carried(context)
    taken, first = False, None
    for event in plan.of_service(context.service.service_name):
        delays = event.fault.kind == "latency"
        if not (_matches(event.fault, context) and carried.holds(event.fault) and plan.may_meet(event.fault, carried.caller)):
            continue
        call_of(context).addressed = True
        number = event.next_event(taken=taken and not delays)
        if number is None:
            through.append(event)
        elif delays:
            _fire(event, number, chain, context, response)
        else:
            taken, first = True, (event, number)
    if first is not None:
        _fire(*first, chain, context, response)


def on_response(_chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Handles the answer of an executed call: replaces it, or loses it, as planned."""
    call = call_of(context)
    if context.operation is None or call.refused:
        return
    callers.count(context)
    planned = call.planned
    if response.status_code >= 400:
        # The service itself refused: there is nothing to fail in part, and nothing to lose.
        if planned is not None:
            planned.event.came_to_nothing()
        return
    for event in call.through:
        event.got_through()
    if planned is None or planned.event.ended.is_set():
        return
    # Before the caller can see it: what it calls next comes behind the fault.
    planned.log()
    if planned.request is not None:
        _answer(context, response, planned.request, dict(context.service_response or {}), list(planned.failed))
    else:
        _lose(context, response)


def _matches(fault: Any, context: RequestContext) -> bool:
    return (
        (fault.operation is None or fault.operation == context.operation.name)
        and (fault.caller is None or fault.caller == callers.name_of(context))
        and (fault.resource is None or names(context.service_request or {}, fault.resource))
    )


class _Carried:
    """What a call carries, and the invocation that makes it: read once, for all faults that ask."""

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._request: str | None = None

    @property
    def caller(self) -> callers.Caller | None:
        """Returns the function that makes it; None where it is none."""
        caller = callers.caller_of(self._context)
        return caller if isinstance(caller, callers.Caller) else None

    def holds(self, fault: Any) -> bool:
        """Returns whether the call has what a fault is addressed to."""
        if fault.carrying:
            if self._request is None:
                self._request = text_of_call(self._context.service_request)
            if not holds(self._request, fault.carrying):
                return False
        if not fault.during:
            return True
        return self.caller is not None and holds(self.caller.carried(), fault.during)


def _fire(event: ArmedFault, number: int, chain: HandlerChain, context: RequestContext, response: Response) -> None:
    fault = event.fault
    assert isinstance(fault, ServiceFault)
    entries = None
    if fault.kind == "partial":
        entries = _failing_entries(fault, context.service_request)
        if not entries:
            # A batch too short to hold any of them: the next one makes up for it.
            event.came_to_nothing()
            return
    service = context.service.service_name
    log = _log(event, number, context, entries)
    match fault.kind:
        case "throttle" | "error":
            call_of(context).refused = True
            log()
            raise errors.throttled(service) if fault.kind == "throttle" else errors.failed(service, fault.code, fault.status)
        case "latency":
            event.ended.wait(fault.seconds)
            log()
        case "hang" | "cut":
            call_of(context).refused = True
            if fault.kind == "hang":
                event.ended.wait(fault.seconds)
            log()
            _cut_off(chain, context)
        case "reply_lost":
            call_of(context).planned = Planned(event, log)
        case "partial":
            _execute_the_others(event, log, chain, context, response, entries or [])


def _log(event: ArmedFault, number: int, context: RequestContext, entries: list[int] | None) -> Callable[[], None]:
    """Returns what notes that a fault has met this call, and the invocation that makes it."""
    caller = callers.caller_of(context)
    function = caller if isinstance(caller, callers.Caller) else None
    batch = batch_of(function.payload) if function else None
    # The environment may run another invocation when the answer is lost.
    met = (function.function, function.items(), function.attempt) if function and event.is_followed else None

    def log() -> None:
        event.fired(
            number,
            request_id=context.request_id,
            call=f"{context.service.service_name}.{context.operation.name}",
            caller=callers.name_of(context),
            entries=None if entries is None else [n + 1 for n in entries],
            batch=batch,
        )
        if met is not None:
            event.met(*met)

    return log


def _failing_entries(fault: ServiceFault, request: dict[str, Any]) -> list[int]:
    assert fault.operation is not None
    window = Window.parse(fault.entries)
    count = len(BATCHES[fault.service, fault.operation].entries(request))
    return [n for n in range(count) if window.holds(n + 1, fault.seed)]


def _execute_the_others(
    event: ArmedFault, log: Callable[[], None], chain: HandlerChain, context: RequestContext, response: Response, failed: list[int]
) -> None:
    request = context.service_request
    batch = BATCHES[context.service.service_name, context.operation.name]
    others = [n for n in range(len(batch.entries(request))) if n not in set(failed)]
    if not others:
        call_of(context).refused = True
        _answer(context, response, request, None, failed)
        log()
        chain.stop()
        return
    call_of(context).planned = Planned(event, log, request, tuple(failed))
    # What falls through to moto reads the HTTP request, which still has all entries: see harness/inside/dynamodb.py.
    call_of(context).rewritten = True
    context.service_request = batch.only(request, others)


def _answer(
    context: RequestContext, response: Response, request: dict[str, Any], executed: dict[str, Any] | None, failed: list[int]
) -> None:
    """Writes the merged answer, in the protocol of the request."""
    batch = BATCHES[context.service.service_name, context.operation.name]
    merged = batch.merged(request, executed, failed)
    serializer = create_serializer(context.service, context.protocol)
    _replace(response, serializer.serialize_to_response(merged, context.operation, context.request.headers, context.request_id))
    context.service_response = merged


def _cut_off(chain: HandlerChain, context: RequestContext) -> None:
    """Ends the request without an answer. LocalStack's calls to itself have no connection: they get a 5xx instead."""
    if not cut(context.request):
        raise errors.failed(context.service.service_name)
    # No handler of answers sees it.
    journal.call(context, status=0, error="the connection was cut")
    chain.terminate()


def _lose(context: RequestContext, response: Response) -> None:
    if cut(context.request):
        return
    error = errors.failed(context.service.service_name)
    serializer = create_serializer(context.service, context.protocol)
    _replace(
        response, serializer.serialize_error_to_response(error, context.operation, context.request.headers, context.request_id)
    )


def _replace(response: Response, by: Response) -> None:
    # DynamoDB's checksum is that of the answer that is replaced.
    response.headers.pop("x-amz-crc32", None)
    response.update_from(by)
