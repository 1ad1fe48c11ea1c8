"""The APIs of harness/served.py, inside the emulator, where functions reach them: /_served/ACCOUNT/NAME.

/_pipeproof/served?account=…&name=…: PUT makes an API, POST adds records, GET tells how many there are, when those from `first` on were first answered by 200, and how many requests met each of the other answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localstack.http import Response, route

from harness.inside import forgotten
from harness.inside.understood import understood
from harness.served import PATH, Apis

if TYPE_CHECKING:
    from localstack.http import Request

_apis = Apis()
_forget = forgotten.with_account(_apis.forget)


@route(f"{PATH}/<account>/<name>", methods=["GET"])
def serve(request: Request, account: str, name: str) -> Response:
    """Answers what fetches."""
    args = request.args
    answered = _apis.answer(account, name, request.headers.get("x-api-key", ""), args.get("cursor", ""), args.get("limit", ""))
    # Between processes of one machine an answer that is made is written.
    _apis.served(account, name, answered)
    return Response(answered.body, answered.status, answered.headers, content_type="application/json")


@route("/_pipeproof/served", methods=["PUT", "POST", "GET"])
@understood
def control(request: Request) -> Response:
    """Answers {records, served, met}."""
    account, name = request.args.get("account", ""), request.args.get("name", "")
    if not (account and name):
        return Response.for_json({"error": "the query needs account=…, the 12 digits, and name=…"}, status=400)
    if request.method == "PUT":
        _apis.make(account, name, request.get_json())
    api = _apis.api(account, name)
    if api is None:
        return Response.for_json({"error": f"there is no API {name}"}, status=404)
    if request.method == "POST":
        _apis.add(account, name, request.get_json()["records"])
    return Response.for_json(api.told(int(request.args.get("first", "0"))))
