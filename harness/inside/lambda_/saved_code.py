"""PUT /_pipeproof/code?account=…&function=…: puts saved files over the code of a function, and of those that share its package. The next invocation runs them.

The body is a zip with these files. The answer is {put: how many bytes it had}. What Lambda tells of the code stays what was deployed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.http import Response, route

from harness.inside.understood import understood

if TYPE_CHECKING:
    from localstack.http import Request

_REGION = "us-east-1"


@route("/_pipeproof/code", methods=["PUT"])
@understood
def serve(request: Request) -> Response:
    """Answers on LocalStack's edge router."""
    # With the first function, and not with the emulator.
    from localstack.services.lambda_.invocation.models import lambda_stores  # noqa: PLC0415

    from harness.inside.lambda_ import code  # noqa: PLC0415
    from harness.inside.lambda_.archive import BadArchiveError  # noqa: PLC0415

    account, name, content = request.args.get("account", ""), request.args.get("function", ""), request.get_data()
    function = lambda_stores[account][_REGION].functions.get(name) if account else None
    if function is None:
        return Response.for_json({"error": f"account {account or '(none)'} has no function {name}"}, status=404)
    try:
        code.put(function.latest(), content)
    except BadArchiveError as error:
        return Response.for_json({"error": str(error)}, status=400)
    return Response.for_json({"put": len(content)})
