"""/_pipeproof/writes?account=…: the order in which objects were written that several invocations write, for a replay to repeat. The last one to
write an object decides what is in it.

PUT sets it, and the body is a list of {place: "bucket/key", writes: [texts, …]}: `texts` stand in the event of the invocation that made that
write. GET tells which places did not keep to it. A write waits for those before it, ten seconds at most after the last of them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from localstack.http import Response, route

from harness.faults.carried import holds
from harness.inside import callers
from harness.inside.call import of as call_of
from harness.inside.understood import understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from localstack.http import Request

PATH = "/_pipeproof/writes"
_PATIENCE_S = 10.0


class Line:
    """The writes of one object, in their order."""

    def __init__(self, writes: Sequence[Sequence[str]]) -> None:
        self.kept = True
        self._writes = writes
        self._done = 0
        self._changed = threading.Condition()

    def wait(self, carried: str) -> bool:
        """Waits until it is the turn of an invocation whose event carries this; returns False for one that has none."""
        with self._changed:
            while self.kept:
                at = self._done
                mine = next((n for n in range(at, len(self._writes)) if holds(carried, self._writes[n])), None)
                if mine is None or mine == at:
                    return mine is not None

                def moved(at: int = at) -> bool:
                    return self._done != at or not self.kept

                if not self._changed.wait_for(moved, _PATIENCE_S):
                    # The pipeline writes something else than before.
                    self.kept = False
                    self._changed.notify_all()
            return False

    def done(self) -> None:
        """Notes that the write whose turn it is has been made."""
        with self._changed:
            self._done += 1
            self._changed.notify_all()


_lines: dict[str, dict[str, Line]] = {}


def on_request(_chain: HandlerChain, context: RequestContext, _response: Response) -> None:
    """Handles a parsed request: lets a write wait for its turn."""
    lines = _lines.get(context.account_id)
    if not lines or context.operation is None or context.operation.name != "PutObject":
        return
    request: Any = context.service_request or {}
    line = lines.get(f"{request.get('Bucket')}/{request.get('Key')}")
    caller = callers.caller_of(context)
    if line is not None and isinstance(caller, callers.Caller) and line.wait(caller.carried()):
        call_of(context).write = line


def on_response(_chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Handles the answer of a call: the next write may be made, unless this one was refused and comes again."""
    line = call_of(context).write
    if line is not None and response.status_code < 400:
        line.done()


@route(PATH, methods=["PUT", "GET"])
@understood
def serve(request: Request) -> Response:
    """Answers {kept: places that have kept to their order, given_up: those that have not}."""
    account = request.args.get("account", "")
    if request.method == "PUT":
        _lines[account] = {one["place"]: Line(one["writes"]) for one in request.get_json()}
    found = _lines.get(account, {})
    kept = [place for place, line in found.items() if line.kept]
    return Response.for_json({"kept": kept, "given_up": [place for place, line in found.items() if not line.kept]})
