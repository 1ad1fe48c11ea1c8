"""Patches of the gateway: how requests come in, are parsed and are routed."""

from __future__ import annotations

import functools
import logging
import os
import random
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from harness.inside import routes
from harness.inside.patches.alone import one_at_a_time
from harness.inside.patches.declare import NAME, patch
from harness.settings import settings


@patch("localstack.aws.app", {"LocalstackAwsGateway.__init__": ("self",)})
def gate(module: Any) -> None:
    """LocalStack answers web pages, whatever name they found for this machine, and whoever asks its control routes."""
    from harness.inside.gate import GateHandler, from_environment  # noqa: PLC0415

    original = module.LocalstackAwsGateway.__init__

    @functools.wraps(original)
    def with_gate(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.request_handlers.insert(0, GateHandler(from_environment()))

    module.LocalstackAwsGateway.__init__ = with_gate


@patch("localstack.aws.app", {"LocalstackAwsGateway.__init__": ("self",), "LocalstackAwsGateway.new_chain": ("self",)})
def short_way(module: Any) -> None:
    """Every request is asked twenty-five questions before its operation runs: a third of the time of a small one. See harness/inside/plain.py."""
    from harness.inside.gate import own_names  # noqa: PLC0415
    from harness.inside.plain import ShortWay  # noqa: PLC0415

    gateway = module.LocalstackAwsGateway
    original, process, handle = gateway.__init__, gateway.process, gateway.handle

    @functools.wraps(original)
    def with_short_way(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.pipeproof_short_way = ShortWay(self, own_names())

    def processed(self: Any, request: Any, response: Any) -> None:
        chain = self.pipeproof_short_way.of_plain(request)
        if chain is None:
            process(self, request, response)
        else:
            chain.handle(self.context_class(request), response)

    def handled(self: Any, context: Any, response: Any) -> None:
        chain = self.pipeproof_short_way.of_internal(context)
        if chain is None:
            handle(self, context, response)
        else:
            chain.handle(context, response)

    gateway.__init__, gateway.process, gateway.handle = with_short_way, processed, handled


@patch(
    "rolo.gateway.chain", {"RequestContext.__setattr__": ("self", "key", "value"), "RequestContext.__getattr__": ("self", "item")}
)
def contexts(module: Any) -> None:
    """A context does in Python what every object does by itself."""
    del module.RequestContext.__setattr__
    del module.RequestContext.__getattr__


# Ids have to differ, and need not be a secret.
_draw = random.Random(os.urandom(32))


_VARIANT = "89ab"


def _uuid4() -> str:
    bits = _draw.getrandbits(122)
    text = f"{bits >> 2:030x}"
    return f"{text[:8]}-{text[8:12]}-4{text[12:15]}-{_VARIANT[bits & 3]}{text[15:18]}-{text[18:]}"


@patch("localstack.utils.strings", {"long_uid": (), "short_uid": (), "uuid": NAME})
def ids(module: Any) -> None:
    """Every request and every message gets an id, for which the system is asked for random bytes. Meanwhile another thread has Python's lock, and keeps it
    for milliseconds."""
    module.uuid = SimpleNamespace(uuid4=_uuid4, UUID=module.uuid.UUID)


@patch(
    "botocore.endpoint",
    {"Endpoint._update_retries_context": ("self", "context", "attempt", "success_response"), "uuid": NAME},
)
def ids_of_own_requests(module: Any) -> None:
    """What LocalStack asks of itself has ids as well."""
    module.uuid = SimpleNamespace(uuid4=_uuid4)


@patch("localstack.utils.xray.traceid", {"TraceId.__init__": ("self",), "os": NAME})
def ids_of_traces(module: Any) -> None:
    """And what is traced."""
    module.os = SimpleNamespace(urandom=_draw.randbytes)


@patch(
    "werkzeug.datastructures.headers",
    {
        "Headers.get": ("self", "key", "default", "type"),
        "Headers.__contains__": ("self", "key"),
        "EnvironHeaders": NAME,
    },
)
def headers(module: Any) -> None:
    """Of a header that is not there werkzeug makes an exception with a page for the user, and drops it. Most that are asked for are not there."""
    get, has = module.Headers.get, module.Headers.__contains__

    def plain_get(self: Any, key: str, default: Any = None, type: Any = None) -> Any:  # noqa: A002 - as werkzeug calls it
        lower = key.lower()
        for name, value in self._list:
            if name.lower() == lower:
                return value if type is None else get(self, key, default, type)
        return default

    def contains(self: Any, key: str) -> bool:
        lower = key.lower()
        # A generator for any() takes twice as long.
        for name, _ in self._list:  # noqa: SIM110
            if name.lower() == lower:
                return True
        return False

    module.Headers.get, module.Headers.__contains__ = plain_get, contains
    # Those of a WSGI environment are no list.
    module.EnvironHeaders.get, module.EnvironHeaders.__contains__ = get, has


@patch("rolo.response", {"Response.update_from": ("self", "other")})
def answers(module: Any) -> None:
    """Each header of an answer is looked for among those that there are, to be put in its place: a sixteenth of the time of a small request."""

    def update_from(self: Any, other: Any) -> None:
        self.status_code, self.response = other.status_code, other.response
        self._on_close.extend(other._on_close)  # noqa: SLF001 - as rolo does it
        new = list(other.headers)
        names = {name.lower() for name, _ in new}
        self.headers[:] = [(name, value) for name, value in self.headers if name.lower() not in names] + new

    module.Response.update_from = update_from


@patch("localstack.aws.connect", {"ClientFactory._get_client": NAME})
def clients(module: Any) -> None:
    """LocalStack keeps 256 clients of itself, each half a megabyte, most of them of accounts that are no longer used."""
    module.ClientFactory._get_client = functools.lru_cache(maxsize=64)(module.ClientFactory._get_client.__wrapped__)  # noqa: SLF001


@patch("localstack.aws.handlers.service", {"create_parser": NAME, "create_serializer": NAME})
def parsers(module: Any) -> None:
    """LocalStack makes a parser, in a tenth of a second, and a serializer per object that describes a service. Each of its internal clients has such objects, and
    all are kept: one per service and protocol is enough."""
    module.create_parser = _one_per_service(module.create_parser)
    module.create_serializer = _one_per_service(module.create_serializer)


@patch("localstack.aws.handlers.service_plugin", {"ServiceLoader.require_service": ("self", "_", "context", "response")})
def loaded_services(module: Any) -> None:
    """LocalStack calls a service loaded before its operations can be routed: of two first requests at once, one found no handler."""
    original, routed = module.ServiceLoader.require_service, set[str]()

    @functools.wraps(original)
    def until_routed(self: Any, chain: Any, context: Any, response: Any) -> None:
        original(self, chain, context, response)
        if context.service and (name := context.service.service_name) not in routed:
            # Whoever loads the service holds its lock until the operations are routed.
            with self.service_locks[name]:
                routed.add(name)

    module.ServiceLoader.require_service = until_routed


@patch("localstack.aws.skeleton", {"create_serializer": NAME})
def serializers(module: Any) -> None:
    """The answers of services, as above."""
    module.create_serializer = _one_per_service(module.create_serializer)


def _one_per_service(cached: Any) -> Any:
    make = cached.__wrapped__
    made: dict[tuple[str, str], Any] = {}

    def create(service: Any, protocol: str | None = None) -> Any:
        key = (service.service_name, protocol or service.protocol)
        if key not in made:
            made[key] = make(service, protocol)
        return made[key]

    return one_at_a_time(create)


@patch("werkzeug.routing.rules", {"Rule._compile_builder": ("self", "append_unknown")})
def builders(module: Any) -> None:
    """Werkzeug compiles two functions for each route, which make addresses from its parts. Nothing here asks for an address, and rolo copies all routes to add
    one: the functions were a seventh of the time of a first deployment. They are compiled when they are first called, one at a time: CPython 3.11 shares the
    recursion counter of `ast` between threads (python/cpython#106905)."""
    compiled = one_at_a_time(module.Rule._compile_builder)  # noqa: SLF001

    def when_called(self: Any, append_unknown: bool = True) -> Any:  # noqa: FBT001, FBT002 - as werkzeug calls it
        made = functools.cache(lambda: compiled(self, append_unknown))
        return lambda rule, /, **values: made()(rule, **values)

    module.Rule._compile_builder = when_called  # noqa: SLF001


@patch(
    "werkzeug.routing.matcher",
    {
        "StateMachineMatcher.match": ("self", "domain", "path", "method", "websocket"),
        "StateMachineMatcher.update": ("self",),
        "State": NAME,
        "NoMatch": NAME,
    },
)
def routeless(module: Any) -> None:
    """Every request is looked up in two tables of routes, of which most requests are in neither: an eighth of the time of a small one. A path that begins like no
    route of its host need not be looked up."""
    matcher = module.StateMachineMatcher
    match, update = matcher.match, matcher.update

    def if_any(self: Any, domain: str, path: str, method: str, websocket: bool) -> Any:  # noqa: FBT001 - as werkzeug calls it
        if not routes.may_match(self, domain, path):
            raise module.NoMatch(set(), False)  # noqa: FBT003 - as werkzeug raises it
        return match(self, domain, path, method, websocket)

    def updated(self: Any) -> None:
        routes.forget(self)
        update(self)

    matcher.match, matcher.update = if_any, updated


_HOSTS = 1000


@patch("werkzeug.routing.map", {"Map.bind": ("self", "server_name")})
def bound(module: Any) -> None:
    """A table of routes is bound to the name of the emulator anew for each request, three times: a twentieth of the time of a small one."""
    bind = module.Map.bind

    @functools.wraps(bind)
    def once(self: Any, server_name: str, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return bind(self, server_name, *args, **kwargs)
        known = vars(self).setdefault("pipeproof_bound", {})
        if (found := known.get(server_name)) is None:
            if len(known) >= _HOSTS:
                known.clear()
            found = known[server_name] = bind(self, server_name)
        return found

    module.Map.bind = once


def _raw_path(of_rolo: Any) -> Any:
    """Returns rolo's function with an answer for what is plainly a path and a query."""

    @functools.wraps(of_rolo)
    def raw_path(request: Any) -> Any:
        uri = request.environ.get("RAW_URI", "") if hasattr(request, "environ") else ""
        # urlparse takes parameters off, and what is behind a #.
        if uri[:1] != "/" or uri[:2] == "//" or ";" in uri or "#" in uri:
            return of_rolo(request)
        return uri.partition("?")[0]

    return raw_path


@patch("rolo.routing.router", {"get_raw_path": ("request",)})
def raw_paths(module: Any) -> None:
    """Rolo takes each address apart as if it had a scheme and a host."""
    module.get_raw_path = _raw_path(module.get_raw_path)


@patch("localstack.aws.protocol.op_router", {"get_raw_path": ("request",)})
def raw_paths_of_operations(module: Any) -> None:
    """And once more to find the operation."""
    module.get_raw_path = _raw_path(module.get_raw_path)


@patch("localstack.aws.handlers.logging", {"ResponseLogger.__call__": ("self", "_", "context", "response"), "LOG": NAME})
def response_log(module: Any) -> None:
    """LocalStack logs every answer, with copies of its headers: a tenth of the time of a small request. The log has the failures, or everything at DEBUG."""
    original = module.ResponseLogger.__call__

    @functools.wraps(original)
    def of_failures(self: Any, _: Any, context: Any, response: Any) -> None:
        if response.status_code >= HTTPStatus.BAD_REQUEST or module.LOG.isEnabledFor(logging.DEBUG):
            original(self, _, context, response)

    module.ResponseLogger.__call__ = of_failures


@patch("localstack.aws.spec", {"_get_catalog_filename": (), "save_service_index_cache": ("index", "file_path")})
def service_catalog(module: Any) -> None:
    """LocalStack makes the index of all services' operations, in seconds, at every start, since its cache directory is a new one."""
    directory = settings().cache
    if directory is None:
        return
    name_of, save = module._get_catalog_filename, module.save_service_index_cache  # noqa: SLF001

    @functools.wraps(save)
    def whole_or_not_at_all(index: Any, file_path: str) -> Any:
        # Another process may start, and read, at the same time.
        unfinished = f"{file_path}.{os.getpid()}"
        saved = save(index, unfinished)
        os.replace(unfinished, file_path)  # noqa: PTH105 - strings, as LocalStack has them
        return saved

    # Joined with an absolute name, the directory would be dropped: the name in the image is absolute.
    module._get_catalog_filename = lambda: os.path.join(directory, name_of())  # noqa: SLF001, PTH118
    module.save_service_index_cache = whole_or_not_at_all


PATCHES = (
    gate,
    short_way,
    contexts,
    ids,
    ids_of_own_requests,
    ids_of_traces,
    headers,
    clients,
    parsers,
    loaded_services,
    serializers,
    answers,
    builders,
    routeless,
    bound,
    raw_paths,
    raw_paths_of_operations,
    response_log,
    service_catalog,
)
