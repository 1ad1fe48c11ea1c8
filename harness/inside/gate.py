"""Who may ask the emulator. A web page that the user looks at may not, whatever name it finds for this machine, and the control routes are for
those alone who have the token.

A browser says where a request comes from, in `Origin`, `Referer` or `Sec-Fetch-Site`; the SDKs, the AWS CLI and curl send none of them.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localstack.http import Response
from rolo.websocket.request import WebSocketRequest

from harness.inside.call import of as call_of
from harness.inside.connections import is_from_outside

if TYPE_CHECKING:
    from localstack.aws.api import RequestContext
    from localstack.aws.chain import HandlerChain
    from werkzeug.datastructures import Headers

TOKEN_HEADER = "X-Pipeproof-Token"  # noqa: S105 - its name
_OWN_NAME = "localhost.localstack.cloud"
# The SDKs put them before the name of an endpoint, for some operations.
_PREFIXES = (
    "analytics-", "control-storage-", "data-", "query-", "runtime-", "storage-", "streaming-", "sync-", "tags-", "workflows-",
)  # fmt: skip
_SIGNED = ("AWS4-HMAC-SHA256 ", "AWS ")
# LocalStack answers a request to a queue's URL by a call of its own, which is signed: the gate must judge the request before that.
_QUEUE = re.compile(r"/(?:queue/[a-z0-9-]+/)?[0-9]{12}/[A-Za-z0-9_-]+(?:\.fifo)?/?")
_CONTROL = ("/_pipeproof", "/_localstack")
_HEALTH = "/_localstack/health"
_SENT = {"ses", "sns", "sqs"}
_READS = ("Describe", "Get", "Head", "List")
# What AWS lets anybody do by a link, and what a queue's policy may allow to everybody.
_WITHOUT_SIGNATURE = {
    "sns": {"ConfirmSubscription", "Unsubscribe"},
    "sqs": {
        "ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "DeleteMessage", "DeleteMessageBatch", "ReceiveMessage", "SendMessage",
        "SendMessageBatch",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gate:
    """`host` is the name in the URLs that LocalStack hands out, `origins` are the web origins that may ask as browsers do, `token_sha256` is the
    hash of the token of the control routes."""

    host: str
    origins: frozenset[str]
    token_sha256: str

    def refusal(self, method: str, path: str, headers: Headers) -> str | None:
        """Returns why a request is refused; None where it may pass."""
        hosts = headers.getlist("Host")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            named = ", ".join(hosts) or "missing"
            return f"the Host header ({named}) names neither this machine's loopback interface nor the emulator"
        if (origin := self._foreign_origin(hosts[0], headers)) is not None:
            return (
                f"a web page asks ({origin}), and a page may be anybody's. `pipeproof up --allow-origin ORIGIN` lets the pages of one origin "
                "ask, such as http://localhost:3000"
            )
        if _is_control(method, path) and not self._has_token(headers):
            return (
                f"{path} needs the token of the emulator, in the header {TOKEN_HEADER}. pipeproof sends it to an emulator that this user "
                "has started by it; for others see PIPEPROOF_TOKEN in docs/settings.md"
            )
        return None

    def _is_own(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, _ = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.path or parts.query or parts.fragment or parts.username is not None:
            return False
        name = name.removesuffix(".")
        own = {"localhost", _OWN_NAME, self.host, *(f"{prefix}{_OWN_NAME}" for prefix in _PREFIXES)}
        # Also below an address, which no browser asks for: LocalStack hands out URLs of functions so.
        return name in own or any(name.endswith(f".{one}") for one in own) or _is_loopback(name)

    def _foreign_origin(self, host: str, headers: Headers) -> str | None:
        """Returns what tells that a browser asks for a page of another origin."""
        own = {f"http://{host}".lower(), f"https://{host}".lower()}
        pages = [
            (name, _origin(value) if name == "Referer" else value)
            for name in ("Origin", "Referer")
            for value in headers.getlist(name)
        ]
        for name, page in pages:
            if page.lower() not in own | self.origins:
                return f"{name}: {page}"
        if any(page.lower() in self.origins for _, page in pages):
            return None
        sites = headers.getlist("Sec-Fetch-Site")
        # Node's fetch says how it asks (Sec-Fetch-Mode), and nothing else.
        if not sites and any(headers.get(name) is not None for name in ("Sec-Fetch-Dest", "Sec-Fetch-User")):
            return "Sec-Fetch headers without Sec-Fetch-Site"
        return next((f"Sec-Fetch-Site: {site}" for site in sites if site.lower() not in {"none", "same-origin"}), None)

    def _has_token(self, headers: Headers) -> bool:
        given = hashlib.sha256(headers.get(TOKEN_HEADER, "").encode()).hexdigest()
        return hmac.compare_digest(given, self.token_sha256)


def from_environment() -> Gate:
    """Returns the gate that whoever starts this emulator wants (harness/emulator/tokens.py). Without a token the control routes are closed."""
    from localstack import config  # noqa: PLC0415 - LocalStack reads it when it starts

    origins = frozenset(filter(None, os.environ.get("PIPEPROOF_ALLOW_ORIGINS", "").lower().split(",")))
    return Gate(config.LOCALSTACK_HOST.host.lower(), origins, os.environ.get("PIPEPROOF_TOKEN_SHA256", ""))


def own_names() -> frozenset[str]:
    """Returns the names of the emulator by which clients ask for it: those that are not below another one."""
    from localstack import config  # noqa: PLC0415 - LocalStack reads it when it starts

    return frozenset({"localhost", "127.0.0.1", "[::1]", _OWN_NAME, config.LOCALSTACK_HOST.host.lower()})


def needs_signature(service: str, operation: str) -> bool:
    """Returns whether the gate refuses this operation where it is asked for by a link without a signature."""
    return not operation.startswith(_READS) and operation not in _WITHOUT_SIGNATURE.get(service, ())


class GateHandler:
    """The first handler of LocalStack's gateway (see patches/gateway.py)."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __call__(self, chain: HandlerChain, context: RequestContext, response: Response) -> None:
        request = context.request
        if isinstance(request, WebSocketRequest):
            # No service here takes any, and what comes so is not asked for its origin by LocalStack.
            request.reject(Response(status=403))
            chain.terminate()
            return
        if not is_from_outside(request):
            return
        signed = call_of(context).signed = request.headers.get("Authorization", "").startswith(_SIGNED)
        why = self._gate.refusal(request.method, request.path, request.headers)
        if why is None and not signed and request.method != "POST" and _QUEUE.fullmatch(request.path):
            action = request.args.get("Action", "")
            if action and needs_signature("sqs", action):
                why = f"sqs.{action} as a {request.method} request must be signed"
        if why is not None:
            _refuse(chain, response, why)


def check_signature(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    """Handles a parsed request: refuses one that changes something, is a mere link, and is not signed. Any page can hold a link, and old browsers do
    not say whose page it is."""
    if context.operation is None or context.is_internal_call or call_of(context).signed or context.request.method == "POST":
        return
    service, operation = context.service.service_name, context.operation.name
    if context.protocol in {"query", "ec2"} and needs_signature(service, operation):
        _refuse(
            chain,
            response,
            f"{service}.{operation} as a {context.request.method} request must be signed: an AWS SDK or the AWS CLI does it",
        )


def _refuse(chain: HandlerChain, response: Response, why: str) -> None:
    response.status_code = 403
    response.content_type = "application/json"
    response.data = json.dumps({"error": f"pipeproof refuses this request: {why}"}).encode()
    # Nothing more is to see this request, and no header is to allow its answer to a page.
    chain.terminate()


def _origin(url: str) -> str:
    """Returns the origin of a page; what follows the host is the user's own business."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "unreadable"
    return f"{parts.scheme}://{parts.netloc}"


def _is_control(method: str, path: str) -> bool:
    """Returns whether a path is one of LocalStack's own, which is no API of AWS. What has been sent may be read by everybody, as may the health."""
    # Routes are found whatever the number of slashes before them.
    first, second, *_ = [*path.lstrip("/").split("/"), ""]
    if f"/{first}" in _CONTROL:
        return not (path == _HEALTH and method in {"GET", "HEAD"})
    return first == "_aws" and second != "execute-api" and not (second in _SENT and method in {"GET", "HEAD"})


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
