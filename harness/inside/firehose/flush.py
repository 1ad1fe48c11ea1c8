"""POST /_pipeproof/buffers?account=…: delivers the buffers of Firehose now, as a drain does when nothing else is under way.

The answer is {delivered}: how many records were in the buffers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.http import Response, route

from harness.inside.gauges.gauge import loaded
from harness.inside.understood import understood

if TYPE_CHECKING:
    from localstack.http import Request


@route("/_pipeproof/buffers", methods=["POST"])
@understood
def serve(request: Request) -> Response:
    """Answers on LocalStack's edge router."""
    account = request.args.get("account", "")
    delivery = loaded("harness.inside.firehose.delivery")
    found = delivery.live_deliveries(account) if delivery else []
    count = sum(one.waiting() for one in found)
    for one in found:
        one.flush()
    return Response.for_json({"delivered": count})
