"""Who makes an AWS request: a function, the harness, LocalStack itself, or another client.

LocalStack gives each execution environment its own access key id, which stands in the Authorization header of its requests.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localstack.utils.aws.request_context import extract_access_key_id_from_auth_header

from harness.faults.carried import items_of_event, text_of_event
from harness.faults.plan import HARNESS, LOCALSTACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from localstack.aws.api import RequestContext

OTHER = "other"


@dataclass(slots=True)
class Caller:
    """An execution environment, as far as its requests go. `payload` and `request_id` are those of the invocation that is running, `text` is
    what the payload carries and `named` its items, once they were asked for. An invocation that is tried again may keep its request id, but is another `attempt`."""

    access_key_id: str
    function: str
    payload: bytes = b""
    request_id: str = ""
    text: str | None = None
    attempt: int = 0
    named: frozenset[str] | None = None

    def begins(self, payload: bytes, request_id: str) -> None:
        """Notes the invocation that begins."""
        self.payload, self.request_id, self.text, self.named, self.attempt = payload, request_id, None, None, next(_attempts)

    def carried(self) -> str:
        """Returns what the event of the running invocation carries."""
        if self.text is None:
            self.text = text_of_event(self.payload)
        return self.text

    def items(self) -> frozenset[str]:
        """Returns what names the items in the event of the running invocation."""
        if self.named is None:
            self.named = items_of_event(self.payload)
        return self.named


_attempts = itertools.count(1)
_callers: dict[str, Caller] = {}
_counting: dict[str, tuple[int, Callable[[], None]]] = {}
_lock = threading.Lock()


def register(access_key_id: str, function: str) -> Caller:
    """Says whose an access key id is."""
    caller = _callers[access_key_id] = Caller(access_key_id, function)
    return caller


def forget(caller: Caller) -> None:
    _callers.pop(caller.access_key_id, None)


def caller_of(context: RequestContext) -> Caller | str:
    """Returns the execution environment that makes the request, else "harness" (which signs with its account's number), "localstack" or "other"."""
    if context.is_internal_call:
        return LOCALSTACK
    key = extract_access_key_id_from_auth_header(context.request.headers) or ""
    return _callers.get(key) or (HARNESS if key == context.account_id else OTHER)


def name_of(context: RequestContext) -> str:
    """Returns who makes the request as text: the function's name, "harness", "localstack" or "other"."""
    caller = caller_of(context)
    return caller if isinstance(caller, str) else caller.function


def after_calls(caller: Caller, calls: int, act: Callable[[], None]) -> None:
    """Acts when the environment's `calls`-th AWS call from now on has been executed, before it has the answer."""
    with _lock:
        _counting[caller.access_key_id] = (calls, act)


def no_longer(caller: Caller) -> bool:
    """Ends the wait for a call: it must not happen in the next invocation. Returns False where no call was awaited any more."""
    with _lock:
        return _counting.pop(caller.access_key_id, None) is not None


def count(context: RequestContext) -> None:
    """Counts an AWS call that has been executed."""
    if not _counting:
        return
    caller = caller_of(context)
    if isinstance(caller, str):
        return
    with _lock:
        left, act = _counting.get(caller.access_key_id, (0, None))
        if act is None:
            return
        if left > 1:
            _counting[caller.access_key_id] = (left - 1, act)
            return
        del _counting[caller.access_key_id]
    act()
