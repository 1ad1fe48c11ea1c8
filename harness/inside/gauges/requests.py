"""AWS requests: those being served, and how many were served so far."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.inside.call import of as call_of
from harness.inside.gauges.gauge import Level

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

_under_way: dict[int, tuple[str, str, float]] = {}
"""The requests being served, by the identity of their contexts: account, call, and when it began."""
_OLD_S = 5.0
_served: Counter[str] = Counter()
_changed: Counter[str] = Counter()
_serving = threading.Lock()
# Long polls, which say nothing about the pipeline.
_IDLE_OPERATIONS = frozenset({"ReceiveMessage", "GetActivityTask", "SubscribeToShard"})
# Operations that only read, by how their names begin; an invocation changes nothing by itself.
_READS = ("Get", "List", "Describe", "Head", "Scan", "Query", "BatchGet", "Receive", "Select", "Lookup", "Invoke", "Assume")
# What a function tells of itself is no part of what is stored.
_TELLING = frozenset({"logs", "cloudwatch", "sts", "xray"})


def request_begins(_chain: Any, context: RequestContext, _response: Any) -> None:
    """Counts a request. It is a handler of the gateway's request chain."""
    if context.operation is None or context.operation.name in _IDLE_OPERATIONS:
        return
    call_of(context).counted = True
    with _serving:
        call = f"{context.service.service_name}.{context.operation.name}"
        _under_way[id(context)] = (context.account_id, call, time.monotonic())
        _served[context.account_id] += 1
        _changed[context.account_id] += _changes(context)


def _changes(context: RequestContext) -> bool:
    """Returns whether the request may change what is stored: a function's own, or one of a state machine's task."""
    if context.operation.name.startswith(_READS) or context.service.service_name in _TELLING:
        return False
    # What LocalStack does of itself follows from another call, or from the clock. A state machine's tasks are work of the pipeline.
    internal = context.internal_request_params
    return internal is None or internal.get("service_principal") == "states"


def changes(account: str) -> int:
    """Returns how many requests since the start may have changed what is stored in an account."""
    return _changed[account]


def request_ends(_chain: Any, context: RequestContext, _response: Any) -> None:
    """Ends the count of a request. It is a finalizer of the gateway's chain: it runs whether the request succeeded or not."""
    call = call_of(context)
    if call.counted:
        call.counted = False
        with _serving:
            _under_way.pop(id(context), None)


def gauge(account: str | None) -> Level:
    """Returns {in_flight: {requests}, requests: those served since the start, slow: the calls that take long}. Two equal counts frame a quiet time."""
    with _serving:
        serving = [(call, began) for of, call, began in _under_way.values() if account in {None, of}]
        served = _served.total() if account is None else _served[account]
    slow = sorted({call for call, began in serving if time.monotonic() - began > _OLD_S})
    return Level(bool(serving), {"requests": len(serving)}, {"requests": served, "slow": slow})
