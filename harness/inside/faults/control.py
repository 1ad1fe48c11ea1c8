"""/_pipeproof/faults?account=…: PUT arms a plan, GET tells what fired, DELETE disarms and tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.http import Response, route
from pydantic import ValidationError

from harness.faults.plan import load
from harness.inside.faults import armed

if TYPE_CHECKING:
    from localstack.http import Request

PATH = "/_pipeproof/faults"


@route(PATH, methods=["PUT", "GET", "DELETE"])
def serve(request: Request) -> Response:
    """The body of a PUT is the plan as JSON, with the stack's physical names. Answers: {armed: […ids], faults: Armed.log()}."""
    account = request.args.get("account", "")
    if not account:
        return Response.for_json({"error": "the query needs account=…, the 12 digits"}, status=400)
    if request.method == "PUT":
        try:
            armed.arm(account, load(request.get_json()))
        except (ValidationError, ValueError) as error:
            return Response.for_json({"error": str(error)}, status=400)
    plan = armed.disarm(account) if request.method == "DELETE" else armed.of_account(account)
    return Response.for_json({"faults": plan.log() if plan else []})
