"""The short way of a plain request: what an SDK signs and sends to this emulator by its own name.

LocalStack asks of each request whether it is for one of its routes, a presigned link, a page's preflight, which service it means, and so on: a third of the
time of a small one. The head of a plain request answers all of it, in the same way each time. What it says of service, region and account is worked
out once by LocalStack's own handlers, and remembered. Every other handler is asked, as in the long way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localstack import config
from localstack.aws import handlers
from localstack.aws.chain import HandlerChain
from localstack.aws.handlers.metric_handler import MetricHandler
from localstack.aws.handlers.service_plugin import ServiceLoaderForDataPlane

from harness.inside.application import EACH_ONCE
from harness.inside.call import of as call_of
from harness.inside.connections import is_from_outside
from harness.inside.gate import GateHandler
from harness.inside.routes import may_have

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localstack.aws.api import RequestContext
    from localstack.aws.gateway import Gateway
    from localstack.http import Request, Response

    Handler = Callable[[HandlerChain, RequestContext, Response], None]

_PORT = re.compile(r"[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]")
_SIGNED = "AWS4-HMAC-SHA256 Credential="
# Browsers send the first and the last of them, LocalStack itself and clients of another protocol the others.
_UNUSUAL = frozenset(
    {
        "HTTP_ORIGIN",
        "HTTP_REFERER",
        "HTTP_SMITHY_PROTOCOL",
        "HTTP_X_LOCALSTACK_DATA",
        "HTTP_SEC_FETCH_SITE",
        "HTTP_SEC_FETCH_MODE",
        "HTTP_SEC_FETCH_DEST",
        "HTTP_SEC_FETCH_USER",
    }
)
# Services whose requests have paths, and what such a path begins with. Below others are the routes of LocalStack, and S3's of whole accounts.
_WITH_PATHS = {"lambda": "/2015-03-31/functions/", "s3": "/"}
_OTHERS_PATHS = ("/_", "//", "/v20180820")
# Of a request with a link's signature this says nothing; of any other LocalStack looks whether it tells its length.
_IN_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
# Services that read who traces a request.
_TRACED = frozenset({"events", "lambda"})
# With more keys than that all are worked out anew.
_REMEMBERED = 4096

_SAID_BY_THE_HEAD = {
    handlers.parse_service_name, handlers.inject_auth_header_if_missing, handlers.add_region_from_header,
    handlers.rewrite_region, handlers.add_account_id,
}  # fmt: skip
_OF_OTHERS = {handlers.preprocess_request, handlers.enforce_cors, handlers.content_decoder, handlers.validate_request_schema}
_ROUTES = {handlers.serve_localstack_resources, handlers.serve_edge_router_rules}
_ANSWERS_TO_OTHERS = {handlers.validate_response_schema, handlers.add_cors_response_headers}

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What the head of a request says."""

    service: Any
    protocol: str
    region: str
    partition: str
    account: str


class ShortWay:
    """Chains of a gateway's handlers. `names` are those of the emulator, without port."""

    def __init__(self, gateway: Gateway, names: Iterable[str]) -> None:
        self._gateway = gateway
        self._names = frozenset(names)
        self._said: dict[Key, Said] = {}
        self._work_out = [each for each in gateway.request_handlers if each in _SAID_BY_THE_HEAD]
        of_all = [each for each in gateway.request_handlers if not _is_idle(each)]
        asked = [each for each in of_all if each not in _OF_OTHERS and not isinstance(each, ServiceLoaderForDataPlane)]
        # LocalStack's own clients pack what is large.
        own = [each for each in of_all if each in asked or each is handlers.content_decoder]
        self._internal = [each for each in own if each not in _ROUTES]
        first = asked.index(handlers.parse_service_name)
        asked[first] = self._say
        asked[asked.index(handlers.parse_trace_context)] = _trace
        asked[asked.index(handlers.parse_pre_signed_url_request)] = _presigned
        of_path = [
            each
            for each in asked
            if each not in _SAID_BY_THE_HEAD
            and each is not handlers.add_internal_request_params
            and not isinstance(each, GateHandler)
        ]
        self._with_path = [_where_routed(each) if each in _ROUTES else each for each in of_path]
        self._without_path = [each for each in of_path if each not in _ROUTES]
        self._answers = [each for each in gateway.response_handlers if each not in _ANSWERS_TO_OTHERS and not _is_idle(each)]

    def of_plain(self, request: Request) -> HandlerChain | None:
        """Returns the chain for a plain request; None for any other."""
        key = self._key(request) if is_from_outside(request) else None
        if key is None:
            return None
        chain = self._chain(self._without_path if request.path == "/" else self._with_path)
        chain.pipeproof_key = key
        return chain

    def of_internal(self, context: RequestContext) -> HandlerChain | None:
        """Returns the chain for a call that LocalStack makes of itself; None where that is for one of its routes."""
        return self._chain(self._internal) if context.service is not None and context.operation is not None else None

    def _chain(self, asked: list[Any]) -> HandlerChain:
        return HandlerChain(asked, self._answers, self._gateway.finalizers, self._gateway.exception_handlers)

    def _key(self, request: Request) -> Key | None:
        """Returns what service, region and account of a plain request depend on."""
        head = request.environ
        signed = head.get("HTTP_AUTHORIZATION", "")
        name, _, port = head.get("HTTP_HOST", "").rpartition(":")
        if not signed.startswith(_SIGNED) or name not in self._names or not _PORT.fullmatch(port):
            return None
        # A request in which a header comes twice is not plain.
        if not (head[EACH_ONCE] and _UNUSUAL.isdisjoint(head)):
            return None
        scope = signed[len(_SIGNED) :].partition(",")[0]
        return _key_of_json(scope, head, request) if request.path == "/" else _key_with_path(scope, head, request)

    def _say(self, chain: HandlerChain, context: RequestContext, response: Response) -> None:
        """Handles a plain request: says what its head says."""
        call_of(context).signed = True
        key: Key = chain.pipeproof_key
        said = self._said.get(key)
        if said is not None:
            context.service, context.protocol, context.region = said.service, said.protocol, said.region
            context.partition, context.account_id = said.partition, said.account
            context.request.headers.add("x-moto-account-id", said.account)
            return
        signed = context.request.headers["Authorization"]
        for each in self._work_out:
            each(chain, context, response)
        # A region that there is not was replaced in the header too.
        if context.service is not None and context.request.headers["Authorization"] == signed:
            if len(self._said) >= _REMEMBERED:
                self._said.clear()
            self._said[key] = Said(context.service, context.protocol, context.region, context.partition, context.account_id)


def _is_idle(handler: Any) -> bool:
    """Returns whether a handler is one of LocalStack's own collection of metrics, which its tests switch on."""
    return isinstance(getattr(handler, "__self__", None), MetricHandler) and not config.is_collect_metrics_mode()


def _key_of_json(scope: str, head: Mapping[str, Any], request: Request) -> Key | None:
    target, content_type = head.get("HTTP_X_AMZ_TARGET", ""), head.get("CONTENT_TYPE", "")
    if not target or not content_type.startswith("application/x-amz-json") or "HTTP_CONTENT_ENCODING" in head:
        return None
    return (scope, target, content_type) if request.method == "POST" and not request.query_string else None


def _key_with_path(scope: str, head: Mapping[str, Any], request: Request) -> Key | None:
    _, _, service = scope.rpartition("/")[0].rpartition("/")
    begins, query = _WITH_PATHS.get(service), request.query_string
    # S3 keeps what is packed as it is.
    if begins is None or "HTTP_X_AMZ_TARGET" in head or ("HTTP_CONTENT_ENCODING" in head and service != "s3"):
        return None
    if (
        not request.path.startswith(begins)
        or request.path.startswith(_OTHERS_PATHS)
        or b"X-Amz-" in query
        or b"Signature=" in query
    ):
        return None
    return None if request.method in {"OPTIONS", "WEBSOCKET"} else (scope, "", "")


def _where_routed(handler: Any) -> Handler:
    """Returns what asks a table of routes only where that may have one for the request."""
    router = handler.resources if handler is handlers.serve_localstack_resources else handler.router

    def asked(chain: HandlerChain, context: RequestContext, response: Response) -> None:
        request = context.request
        if may_have(router.url_map, request.host, request.environ["RAW_URI"].partition("?")[0]):
            handler(chain, context, response)

    return asked


def _presigned(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    request = context.request
    if request.query_string or request.headers.get("x-amz-content-sha256") == _IN_CHUNKS:
        handlers.parse_pre_signed_url_request(chain, context, response)


def _trace(chain: HandlerChain, context: RequestContext, response: Response) -> None:
    if context.service is None or context.service.service_name in _TRACED:
        handlers.parse_trace_context(chain, context, response)
