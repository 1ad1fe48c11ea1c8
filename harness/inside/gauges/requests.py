"""AWS requests: those being served, and how many were served so far."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from harness.inside.call import of as call_of
from harness.inside.gauges.gauge import Counted, Level

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext

REQUESTS = Counted()
_served: Counter[str] = Counter()
_serving = threading.Lock()
# Long polls, which say nothing about the pipeline.
_IDLE_OPERATIONS = frozenset({"ReceiveMessage", "GetActivityTask", "SubscribeToShard"})


def request_begins(_chain: Any, context: RequestContext, _response: Any) -> None:
    """Counts a request. It is a handler of the gateway's request chain."""
    if context.operation is None or context.operation.name in _IDLE_OPERATIONS:
        return
    REQUESTS.enter(context.account_id)
    call_of(context).counted = True
    with _serving:
        _served[context.account_id] += 1


def request_ends(_chain: Any, context: RequestContext, _response: Any) -> None:
    """Ends the count of a request. It is a finalizer of the gateway's chain: it runs whether the request succeeded or not."""
    call = call_of(context)
    if call.counted:
        call.counted = False
        REQUESTS.leave(context.account_id)


def gauge(account: str | None) -> Level:
    """Returns {in_flight: {requests}, requests: those served since the start}: two equal counts frame a quiet time."""
    serving = REQUESTS.count(account)
    served = _served.total() if account is None else _served[account]
    return Level(serving > 0, {"requests": serving}, {"requests": served})
