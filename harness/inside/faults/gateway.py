"""Handlers of LocalStack's gateway that make service faults happen to the AWS calls that they are addressed to."""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localstack.aws.protocol.serializer import create_serializer

from harness.faults.plan import ServiceFault
from harness.faults.window import Window
from harness.inside import callers
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


@dataclass(frozen=True, slots=True)
class _Planned:
    """What is to be done when the call has been executed."""

    request: dict[str, Any]
    failed: list[int]
    log_loss: Callable[[], None] | None = None


def on_request(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Of the request chain, once the request is parsed. Raises the service's error, cuts the connection, or plans for the answer."""
    plan = armed.of_account(context.account_id) if context.operation is not None else None
    if plan is None:
        return
    through = []
    for fault in plan.of_service(context.service.service_name):
        if not _matches(fault.fault, context):
            continue
        number = fault.next_event()
        if number is None:
            through.append(fault)
        else:
            _fire(fault, number, chain, context, response)
            if chain.terminated or chain.stopped:
                return
    context.pipeproof_through = through


def on_response(_chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Of the response chain: what is to happen to the answer of an executed call."""
    if context.operation is None:
        return
    callers.count(context)
    if response.status_code < 400:
        for fault in getattr(context, "pipeproof_through", ()):
            fault.got_through()
    planned: _Planned | None = getattr(context, "pipeproof_planned", None)
    if planned is None:
        return
    if planned.failed and response.status_code < 400:
        _answer(context, response, planned.request, dict(context.service_response or {}), planned.failed)
    if planned.log_loss is not None:
        _lose(context, response)
        planned.log_loss()


def _matches(fault: Any, context: RequestContext) -> bool:
    return (
        (fault.operation is None or fault.operation == context.operation.name)
        and (fault.caller is None or fault.caller == callers.name_of(context))
        and (fault.resource is None or _names(context.service_request or {}, _last_part(fault.resource)))
    )


def _names(request: dict[str, Any], resource: str) -> bool:
    """Whether the request names the resource: by name, ARN or URL, or as a key of a batch's request items."""
    for key, value in request.items():
        if isinstance(value, str) and _last_part(value) == resource:
            return True
        if key == "RequestItems" and isinstance(value, dict) and resource in map(_last_part, value):
            return True
    return False


def _last_part(name: str) -> str:
    return name.replace("/", ":").rpartition(":")[2]


def _fire(event: ArmedFault, number: int, chain: HandlerChain, context: RequestContext, response: Response) -> None:
    fault = event.fault
    assert isinstance(fault, ServiceFault)
    caller = callers.caller_of(context)
    entries = None
    if fault.kind == "partial":
        entries = _failing_entries(fault, context.service_request)
        if not entries:
            return
    service = context.service.service_name
    log = functools.partial(
        event.fired,
        number,
        request_id=context.request_id,
        call=f"{service}.{context.operation.name}",
        caller=callers.name_of(context),
        entries=None if entries is None else [n + 1 for n in entries],
        batch=None if isinstance(caller, str) else batch_of(caller.payload),
    )
    match fault.kind:
        case "throttle":
            log()
            raise errors.throttled(service)
        case "error":
            log()
            raise errors.failed(service, fault.code, fault.status)
        case "latency":
            time.sleep(fault.seconds or 0)
        case "hang":
            time.sleep(fault.seconds or 0)
            _cut_off(chain, context)
        case "cut":
            _cut_off(chain, context)
        case "reply_lost":
            context.pipeproof_planned = _Planned({}, [], log)
            return
        case "partial":
            _execute_the_others(chain, context, response, entries or [])
    log()


def _failing_entries(fault: ServiceFault, request: dict[str, Any]) -> list[int]:
    assert fault.operation is not None
    window = Window.parse(fault.entries)
    count = len(BATCHES[fault.service, fault.operation].entries(request))
    return [n for n in range(count) if window.holds(n + 1, fault.seed)]


def _execute_the_others(chain: HandlerChain, context: RequestContext, response: Response, failed: list[int]) -> None:
    request = context.service_request
    batch = BATCHES[context.service.service_name, context.operation.name]
    others = [n for n in range(len(batch.entries(request))) if n not in set(failed)]
    if not others:
        _answer(context, response, request, None, failed)
        chain.stop()
        return
    context.pipeproof_planned = _Planned(request, failed)
    # What falls through to moto reads the HTTP request, which still has all entries: see harness/inside/dynamodb.py.
    context.pipeproof_rewritten = True
    context.service_request = batch.only(request, others)


def _answer(
    context: RequestContext, response: Response, request: dict[str, Any], executed: dict[str, Any] | None, failed: list[int]
) -> None:
    """Writes the merged answer, in the protocol of the request."""
    batch = BATCHES[context.service.service_name, context.operation.name]
    merged = batch.merged(request, executed, failed)
    serializer = create_serializer(context.service, context.protocol)
    response.update_from(serializer.serialize_to_response(merged, context.operation, context.request.headers, context.request_id))
    context.service_response = merged


def _cut_off(chain: HandlerChain, context: RequestContext) -> None:
    """Ends the request without an answer. LocalStack's calls to itself have no connection: they get a 5xx instead."""
    if not cut(context.request):
        raise errors.failed(context.service.service_name)
    chain.terminate()


def _lose(context: RequestContext, response: Response) -> None:
    if cut(context.request):
        return
    error = errors.failed(context.service.service_name)
    serializer = create_serializer(context.service, context.protocol)
    response.update_from(
        serializer.serialize_error_to_response(error, context.operation, context.request.headers, context.request_id)
    )
