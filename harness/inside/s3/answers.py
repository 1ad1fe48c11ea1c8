"""The bodies of S3's answers, written as text at once.

LocalStack makes an XML tree of Python objects first: the list of a thousand keys is seven thousand of them, and took it 60 ms. The same bytes come out here. What
this does not write (attributes, maps, members that a shape does not have) is left to LocalStack.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[[Any, list[str]], None]


_TIMES = _ENTRIES = 8192


class LeftToLocalStackError(Exception):
    """What LocalStack writes."""


def written_at_once(original: Callable[..., Any]) -> Callable[..., Any]:
    """Returns S3ResponseSerializer._serialize_body_params that writes text."""
    known: dict[tuple[str, str], Write] = {}

    @functools.wraps(original)
    def serialized(self: Any, params: Any, shape: Any, operation: Any, mime_type: str, request_id: str) -> Any:
        try:
            if "json" in mime_type or shape is None:
                raise LeftToLocalStackError  # noqa: TRY301 - it has the answer to that too
            key = (operation.name, shape.name)
            if key not in known:
                known[key] = _root(self, shape)
            out = [f"<?xml version='1.0' encoding='{self.DEFAULT_ENCODING}'?>\n"]
            known[key](params, out)
        except (LeftToLocalStackError, TypeError, ValueError, AttributeError):
            # It also says what is wrong with a value.
            return original(self, params, shape, operation, mime_type, request_id)
        return "".join(out).encode(self.DEFAULT_ENCODING, "xmlcharrefreplace")

    return serialized


def _root(serializer: Any, shape: Any) -> Write:
    """Returns what writes the outermost element."""
    if shape.type_name != "structure":
        raise LeftToLocalStackError
    own = shape.serialization.get("name", shape.name)
    name = serializer._RESPONSE_ROOT_TAGS.get(own, own)  # noqa: SLF001
    return _structure(serializer, shape, name, f' xmlns="{serializer.XML_NAMESPACE}"', "\n")


def _writer(serializer: Any, shape: Any, name: str) -> Write:
    if "resultWrapper" in shape.serialization or "xmlAttribute" in shape.serialization:
        raise LeftToLocalStackError
    match shape.type_name:
        case "structure":
            return _structure(serializer, shape, name)
        case "list":
            return _list(serializer, shape, name)
        case "map":
            raise LeftToLocalStackError
        case "boolean":
            return _scalar(name, lambda value: "true" if value else "false")
        case "blob":
            return _scalar(name, serializer._get_base64)  # noqa: SLF001
        case "timestamp":
            form = shape.serialization.get("timestampFormat")
            # A listing has the same times again and again.
            told = functools.lru_cache(_TIMES)(lambda value: serializer._convert_timestamp_to_str(value, form))  # noqa: SLF001
            return _scalar(name, told)
    return _scalar(name, str)


def _structure(serializer: Any, shape: Any, name: str, attributes: str = "", after: str = "") -> Write:
    """Returns what writes an element of elements, with `after` behind it where it has any."""
    if "resultWrapper" in shape.serialization or "xmlNamespace" in shape.serialization:
        raise LeftToLocalStackError
    begins, ends, empty = f"<{name}{attributes}>", f"</{name}>{after}", f"<{name}{attributes} />"
    members: dict[str, Write] = {}

    def write(params: Any, out: list[str]) -> None:
        place = len(out)
        out.append(begins)
        for key, value in params.items():
            if value is None:
                continue
            if key not in members:
                if (member := shape.members.get(key)) is None:
                    raise LeftToLocalStackError
                members[key] = _writer(serializer, member, member.serialization.get("name", key))
            members[key](value, out)
        if len(out) == place + 1:
            out[place] = empty
        else:
            out.append(ends)

    return write


def _list(serializer: Any, shape: Any, name: str) -> Write:
    flattened = shape.serialization.get("flattened")
    each = _writer(serializer, shape.member, shape.member.serialization.get("name", name if flattened else "member"))
    if shape.member.type_name == "structure":
        each = _remembered(each)

    def write(items: Any, out: list[str]) -> None:
        for item in items:
            if item is not None:
                each(item, out)

    if flattened:
        return write
    begins, ends, empty = f"<{name}>", f"</{name}>", f"<{name} />"

    def write_within(items: Any, out: list[str]) -> None:
        place = len(out)
        out.append(begins)
        write(items, out)
        if len(out) == place + 1:
            out[place] = empty
        else:
            out.append(ends)

    return write_within


def _remembered(write: Write) -> Write:
    """Returns a writer of list entries that keeps its last texts: clients list the same objects often."""
    known: dict[tuple[Any, ...], str] = {}

    def written(params: Any, out: list[str]) -> None:
        key = (*params, *[tuple(value) if type(value) is list else value for value in params.values()])
        try:
            text = known.get(key)
        except TypeError:
            # One of the values is a structure, or has some.
            write(params, out)
            return
        if text is None:
            own: list[str] = []
            write(params, own)
            if len(known) >= _ENTRIES:
                known.clear()
            text = known[key] = "".join(own)
        out.append(text)

    return written


def _scalar(name: str, text_of: Callable[[Any], Any]) -> Write:
    begins, ends, empty = f"<{name}>", f"</{name}>", f"<{name} />"

    def write(value: Any, out: list[str]) -> None:
        text = text_of(value)
        if "&" in text:
            text = text.replace("&", "&amp;")
        if "<" in text:
            text = text.replace("<", "&lt;")
        if ">" in text:
            text = text.replace(">", "&gt;")
        out.append(f"{begins}{text}{ends}" if text else empty)

    return write
