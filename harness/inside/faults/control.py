"""/_pipeproof/faults?account=…&run=…: PUT arms a plan, GET tells what fired, DELETE disarms and tells.

`run` names a run. Where another one has armed the account since, GET and DELETE answer 409: its faults are not this run's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.http import Response, route
from pydantic import ValidationError

from harness.faults.plan import load
from harness.inside.faults import armed
from harness.inside.understood import understood

if TYPE_CHECKING:
    from localstack.http import Request

PATH = "/_pipeproof/faults"


@route(PATH, methods=["PUT", "GET", "DELETE"])
@understood
def serve(request: Request) -> Response:
    """Answers {faults: Armed.log()}. The body of a PUT is the plan as JSON, with the stack's physical names."""
    account, run = request.args.get("account", ""), request.args.get("run", "")
    if not (account and run):
        return Response.for_json({"error": "the query needs account=…, the 12 digits, and run=…, a name"}, status=400)
    if request.method == "PUT":
        try:
            armed.arm(account, load(request.get_json()), run)
        except (ValidationError, ValueError) as error:
            return Response.for_json({"error": str(error)}, status=400)
    plan = armed.of_account(account)
    if plan is None or plan.run != run:
        return Response.for_json({"error": f"another run has armed or disarmed the faults of account {account}"}, status=409)
    if request.method == "DELETE":
        armed.disarm(account)
    return Response.for_json({"faults": plan.log()})
