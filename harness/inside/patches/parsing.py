"""Patches of how requests are read."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.inside.patches.declare import patch


class _Members(NamedTuple):
    """The members of a structure. `of_body` has those that stand in the body by their names in JSON: name, shape, and whether it is a text. `elsewhere` are those
    of headers and paths; `required` are names that a structure has in any case."""

    of_body: dict[str, tuple[str, Any, bool]]
    elsewhere: tuple[tuple[str, Any], ...]
    required: tuple[str, ...]


@patch(
    "localstack.aws.protocol.parser",
    {
        "BaseJSONRequestParser._parse_structure": ("self", "request", "shape", "value", "uri_params"),
        "BaseJSONRequestParser._parse_map": ("self", "request", "shape", "value", "uri_params"),
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
                name, of, is_text = member
                parsed[name] = raw if is_text else self._parse_shape(request, of, raw, uri_params)
        for name, of in members.elsewhere:
            if (found := self._parse_shape(request, of, None, uri_params)) is not None:
                parsed[name] = found
        for name in members.required:
            parsed.setdefault(name, None)
        return parsed

    def mapping(self: Any, request: Any, shape: Any, value: Any, uri_params: Any = None) -> Any:
        if value is None:
            return None
        # Keys are texts.
        return {key: self._parse_shape(request, shape.value, found, uri_params) for key, found in value.items()}

    parser._parse_structure, parser._parse_map = structure, mapping  # noqa: SLF001


def _members(shape: Any) -> _Members:
    """Returns the members of a structure, which are put together once."""
    known: _Members | None = vars(shape).get("pipeproof_members")
    if known is None:
        of_body, elsewhere = {}, []
        for name, of in shape.members.items():
            if "location" in of.serialization:
                elsewhere.append((name, of))
            else:
                of_body[of.serialization.get("name", name)] = name, of, of.type_name in {"string", "character"}
        known = vars(shape)["pipeproof_members"] = _Members(of_body, tuple(elsewhere), tuple(shape.required_members))
    return known


PATCHES = (json,)
