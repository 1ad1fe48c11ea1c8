"""Patches of how requests are read, and answers in JSON written."""

from __future__ import annotations

import binascii
import functools
from typing import Any, NamedTuple
from urllib.parse import unquote

from werkzeug.exceptions import HTTPException

from harness.inside.patches.declare import patch

_TEXTS = frozenset({"string", "character"})


class _Members(NamedTuple):
    """The members of a structure. `of_body` has those that stand in the body by their names in JSON: name, shape, and its type. `elsewhere` are those of headers and
    paths; `required` are names that a structure has in any case."""

    of_body: dict[str, tuple[str, Any, str]]
    elsewhere: tuple[tuple[str, Any], ...]
    required: tuple[str, ...]


@patch(
    "localstack.aws.protocol.parser",
    {
        "BaseJSONRequestParser._parse_structure": ("self", "request", "shape", "value", "uri_params"),
        "RequestParser._parse_shape": ("self", "request", "shape", "node", "uri_params"),
    },
)
def json(module: Any) -> None:
    """LocalStack looks at every member that a structure may have, though most requests have few of them: each value of DynamoDB may have ten."""
    parser = module.BaseJSONRequestParser

    def structure(self: Any, request: Any, shape: Any, value: Any, uri_params: Any = None) -> Any:
        if value is None or shape.is_document_type:
            return value
        members = _members(shape)
        parsed: dict[str, Any] = {}
        for json_name, raw in value.items():
            if raw is not None and (member := members.of_body.get(json_name)):
                name, of, kind = member
                plain = raw if kind in _TEXTS else _decoded(raw) if kind == "blob" else None
                parsed[name] = self._parse_shape(request, of, raw, uri_params) if plain is None else plain
        for name, of in members.elsewhere:
            if (found := self._parse_shape(request, of, None, uri_params)) is not None:
                parsed[name] = found
        for name in members.required:
            parsed.setdefault(name, None)
        return parsed

    parser._parse_structure = structure  # noqa: SLF001


@patch(
    "localstack.aws.protocol.parser",
    {
        "BaseJSONRequestParser._parse_map": ("self", "request", "shape", "value", "uri_params"),
        "RequestParser._parse_shape": ("self", "request", "shape", "node", "uri_params"),
    },
)
def json_maps(module: Any) -> None:
    """LocalStack parses the keys of a map as well, which are texts."""

    def mapping(self: Any, request: Any, shape: Any, value: Any, uri_params: Any = None) -> Any:
        if value is None:
            return None
        of_body = _of_body_alone(shape.value)
        parsed = {}
        for key, found in value.items():
            plain = _of_one_text(found, of_body)
            parsed[key] = self._parse_shape(request, shape.value, found, uri_params) if plain is None else plain
        return parsed

    module.BaseJSONRequestParser._parse_map = mapping  # noqa: SLF001


def _of_body_alone(shape: Any) -> dict[str, tuple[str, Any, str]]:
    """Returns the members of a structure by their names in JSON, where all of them stand in the body and none has to be there."""
    if shape.type_name != "structure" or shape.is_document_type:
        return {}
    members = _members(shape)
    return {} if members.elsewhere or members.required else members.of_body


def _of_one_text(found: Any, of_body: dict[str, tuple[str, Any, str]]) -> dict[str, str] | None:
    """Returns what a structure with one text is, as most values of DynamoDB are; None for any other."""
    if type(found) is not dict or len(found) != 1:
        return None
    ((json_name, raw),) = found.items()
    member = of_body.get(json_name)
    return {member[0]: raw} if member is not None and member[2] in _TEXTS and type(raw) is str else None


def _decoded(text: Any) -> bytes | None:
    """Returns the bytes of a text in base64; None where it is none, which is left to LocalStack."""
    try:
        return binascii.a2b_base64(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _members(shape: Any) -> _Members:
    """Returns the members of a structure, which are put together once."""
    known: _Members | None = vars(shape).get("pipeproof_members")
    if known is None:
        of_body, elsewhere = {}, []
        for name, of in shape.members.items():
            if "location" in of.serialization:
                elsewhere.append((name, of))
            else:
                of_body[of.serialization.get("name", name)] = name, of, of.type_name
        known = vars(shape)["pipeproof_members"] = _Members(of_body, tuple(elsewhere), tuple(shape.required_members))
    return known


class _XmlMembers(NamedTuple):
    """The members of a structure. `nothing` has all that stand outside the body, with None; `by_header` and `by_query` are those of one value, each with its name
    there, `elsewhere` the others. `of_body` is the rest."""

    nothing: dict[str, None]
    by_header: tuple[tuple[str, str, Any], ...]
    by_query: tuple[tuple[str, str, Any], ...]
    elsewhere: tuple[tuple[str, Any], ...]
    of_body: dict[str, Any]


@patch(
    "localstack.aws.protocol.parser",
    {
        "RestXMLRequestParser._parse_structure": ("self", "request", "shape", "node", "uri_params"),
        "RequestParser._parse_shape": ("self", "request", "shape", "node", "uri_params"),
    },
)
def xml(module: Any) -> None:
    """LocalStack asks a request of S3 for forty headers, each in the list of those that it has, to find three."""
    parser = module.RestXMLRequestParser
    of_body = parser._parse_structure  # noqa: SLF001

    def structure(self: Any, request: Any, shape: Any, node: Any, uri_params: Any = None) -> Any:
        try:
            return _read(self, of_body, request, shape, node, uri_params)
        except module.RequestParserError:
            # Of several things that are wrong LocalStack tells the first one, in its own order.
            return of_body(self, request, shape, node, uri_params)

    parser._parse_structure = structure  # noqa: SLF001


def _read(self: Any, of_body: Any, request: Any, shape: Any, node: Any, uri_params: Any) -> dict[str, Any]:
    parse = self._parse_shape
    members = _xml_members(shape)
    parsed: dict[str, Any] = members.nothing.copy()
    if members.by_header:
        head = {name.lower() for name, _ in request.headers}
        for name, header, of in members.by_header:
            if header in head:
                parsed[name] = parse(request, of, None, uri_params)
    if members.by_query and (asked := request.args):
        for name, parameter, of in members.by_query:
            if parameter in asked:
                parsed[name] = parse(request, of, None, uri_params)
    for name, of in members.elsewhere:
        parsed[name] = parse(request, of, None, uri_params)
    if members.of_body:
        parsed |= of_body(self, request, _Body(members.of_body, shape.required_members), node, uri_params)
    return parsed


class _Body(NamedTuple):
    """What LocalStack's parser asks of a structure."""

    members: dict[str, Any]
    required_members: Any


def _xml_members(shape: Any) -> _XmlMembers:
    """Returns the members of a structure, which are put together once."""
    known: _XmlMembers | None = vars(shape).get("pipeproof_xml_members")
    if known is None:
        outside = {name: of for name, of in shape.members.items() if "location" in of.serialization}
        single = {
            name: of
            for name, of in outside.items()
            if of.serialization["location"] == "header"
            or (of.serialization["location"] == "querystring" and of.type_name != "list")
        }
        known = vars(shape)["pipeproof_xml_members"] = _XmlMembers(
            dict.fromkeys(outside),
            tuple(
                (name, of.serialization["name"].lower(), of)
                for name, of in single.items()
                if of.serialization["location"] == "header"
            ),
            tuple(
                (name, of.serialization["name"], of) for name, of in single.items() if of.serialization["location"] == "querystring"
            ),
            tuple((name, of) for name, of in outside.items() if name not in single),
            {name: of for name, of in shape.members.items() if name not in outside},
        )
    return known


@patch(
    "localstack.aws.protocol.op_router",
    {
        "RestServiceOperationRouter.__init__": ("self", "service"),
        "RestServiceOperationRouter.match": ("self", "request"),
        "_RequestMatchingRule.match_request": ("self", "request"),
        "get_raw_path": ("request",),
    },
)
def operations(module: Any) -> None:
    """Which operation of S3 is asked for depends on the method, on whether the path has a key, and on queries and headers. LocalStack looks the path up among all routes of the
    service."""
    router = module.RestServiceOperationRouter
    make, match = router.__init__, router.match

    @functools.wraps(make)
    def of_service(self: Any, service: Any) -> None:
        make(self, service)
        self.pipeproof_rules = {} if service.service_name == "s3" else None

    def matched(self: Any, request: Any) -> Any:
        named = None if self.pipeproof_rules is None else _of_object(module.get_raw_path(request))
        if named is None or request.method == "OPTIONS":
            return match(self, request)
        key = request.method, len(named)
        if (rule := self.pipeproof_rules.get(key)) is None:
            try:
                path = "/".join(("", *named))
                rule, _ = self._map.bind(request.host).match(path, method=request.method, return_rule=True)
            except HTTPException:
                return match(self, request)
            self.pipeproof_rules[key] = rule
        if isinstance(rule, module._RequestMatchingRule):  # noqa: SLF001
            rule = rule.match_request(request)
        return rule.endpoint, {name: unquote(value) for name, value in named.items()}

    router.__init__, router.match = of_service, matched


def _of_object(path: str) -> dict[str, str] | None:
    """Returns the bucket of a path, and the key where it has one; None for a path that may be read otherwise."""
    bucket, _, key = path[1:].partition("/")
    key = key.rstrip("/")
    if path[:1] != "/" or not bucket or "//" in path or bucket == _NO_BUCKET:
        return None
    return {"Bucket": bucket, "Key": key} if key else {"Bucket": bucket}


_NO_BUCKET = "WriteGetObjectResponse"


@patch(
    "localstack.aws.protocol.serializer",
    {
        "JSONResponseSerializer._serialize_type_structure": ("self", "body", "value", "shape", "key", "mime_type"),
        "JSONResponseSerializer._serialize": ("self", "body", "value", "shape", "key", "mime_type"),
    },
)
def json_answers(module: Any) -> None:
    """LocalStack looks for the method that writes each value of an answer, which for most of them does nothing: an answer of PutRecords has a thousand."""
    serializer = module.JSONResponseSerializer
    of_localstack = serializer._serialize_type_structure  # noqa: SLF001

    def structure(self: Any, body: Any, value: Any, shape: Any, key: Any, mime_type: Any) -> None:
        if value is None or shape.is_document_type:
            of_localstack(self, body, value, shape, key, mime_type)
            return
        if key is not None:
            body[key] = body = {}
        members = _answered(self, shape)
        for name, one in value.items():
            if one is None:
                continue
            if (member := members.get(name)) is None:
                # It warns of it.
                of_localstack(self, body, {name: one}, shape, None, mime_type)
                continue
            json_name, of = member
            if of is None:
                body[json_name] = one
            else:
                self._serialize(body, one, of, json_name, mime_type)

    serializer._serialize_type_structure = structure  # noqa: SLF001


@patch(
    "localstack.aws.protocol.serializer",
    {"JSONResponseSerializer._serialize_type_list": ("self", "body", "value", "shape", "key", "mime_type")},
)
def json_lists(module: Any) -> None:
    """And most structures of a list are what is written."""
    serializer = module.JSONResponseSerializer
    of_localstack = serializer._serialize_type_list  # noqa: SLF001

    def several(self: Any, body: Any, value: Any, shape: Any, key: Any, mime_type: Any) -> None:
        of = shape.member
        if type(value) is not list or of.type_name != "structure" or of.is_document_type or not _written_as_they_are(self, of):
            of_localstack(self, body, value, shape, key, mime_type)
            return
        names = of.members.keys()
        plain = [one for one in value if type(one) is dict and one.keys() <= names and None not in one.values()]
        if len(plain) == len(value):
            body[key] = plain
        else:
            of_localstack(self, body, value, shape, key, mime_type)

    serializer._serialize_type_list = several  # noqa: SLF001


def _written_as_they_are(serializer: Any, shape: Any) -> bool:
    """Returns whether each member of a structure has its name in JSON, and is written as it is."""
    known: bool | None = vars(shape).get("pipeproof_as_they_are")
    if known is None:
        known = vars(shape)["pipeproof_as_they_are"] = all(
            name == json_name and of is None for name, (json_name, of) in _answered(serializer, shape).items()
        )
    return known


def _answered(serializer: Any, shape: Any) -> dict[str, tuple[str, Any]]:
    """Returns the members of a structure with their names in JSON, and their shapes where their values are not written as they are."""
    known: dict[str, tuple[str, Any]] | None = vars(shape).get("pipeproof_answered")
    if known is None:
        known = vars(shape)["pipeproof_answered"] = {
            name: (of.serialization.get("name", name), of if hasattr(serializer, f"_serialize_type_{of.type_name}") else None)
            for name, of in shape.members.items()
        }
    return known


@patch("localstack.aws.protocol.serializer", {"ResponseSerializer._get_mime_type": ("self", "headers")})
def accepted(module: Any) -> None:
    """What form of an answer a client accepts, LocalStack finds out anew for each request: a twentieth of a small one."""
    find = module.ResponseSerializer._get_mime_type  # noqa: SLF001

    @functools.lru_cache(maxsize=256)
    def found(serializer: Any, *said: tuple[str, str]) -> str:
        return str(find(serializer, dict(said)))

    def mime_type(self: Any, headers: Any) -> str:
        said = [(name, headers[name]) for name in ("Accept", "Content-Type") if name in headers] if headers else []
        return found(self, *said)

    module.ResponseSerializer._get_mime_type = mime_type  # noqa: SLF001


PATCHES = (json, json_maps, xml, operations, json_answers, json_lists, accepted)
