"""What an event or a call carries, as text: how a fault is addressed to the records that it is to meet."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Where the events of streams and of delivery streams, and requests through an API, hold bytes as base64.
_ENCODED = ("data", "body")


def text_of_event(payload: bytes | str) -> str:
    """Returns the event of an invocation with what is base64 in it decoded: the data of a stream's records, the body of a request."""
    text = payload if isinstance(payload, str) else payload.decode(errors="replace")
    if not any(f'"{name}"' in text for name in _ENCODED):
        return text
    try:
        document = json.loads(text)
    except ValueError:
        return text
    return "\n".join([text, *_decoded(document)])


def _decoded(document: Any) -> Iterator[str]:
    if isinstance(document, list):
        for item in document:
            yield from _decoded(item)
    elif isinstance(document, dict):
        for name, value in document.items():
            if name in _ENCODED and isinstance(value, str) and (name == "data" or document.get("isBase64Encoded")):
                try:
                    yield base64.b64decode(value, validate=True).decode(errors="replace")
                except (binascii.Error, ValueError):
                    continue
            else:
                yield from _decoded(value)


def text_of_call(request: Any) -> str:
    """Returns an AWS request as JSON, without what is not read yet of its body; bytes are decoded."""
    if isinstance(request, bytes):
        return request.decode(errors="replace")
    if request is None:
        return ""
    if isinstance(request, dict):
        request = {name: value for name, value in request.items() if not hasattr(value, "read")}
    return json.dumps(
        request, ensure_ascii=False, default=lambda other: text_of_call(other) if isinstance(other, bytes) else str(other)
    )


def holds(text: str, wanted: Iterable[str]) -> bool:
    """Returns whether all the strings stand in the text, none of them as a part of a longer name or number."""
    return all(_stands_in(text, one) for one in wanted)


def _stands_in(text: str, wanted: str) -> bool:
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not (_joins(text[start - 1 : start], wanted[:1]) or _joins(wanted[-1:], text[end : end + 1])):
            return True
        start = text.find(wanted, start + 1)
    return False


def _joins(left: str, right: str) -> bool:
    """Returns whether two neighbouring characters belong to one name."""
    return all(character.isalnum() or character in {"_", "-"} for character in (left, right) if character) and bool(left and right)


def names(request: Any, resource: str) -> bool:
    """Returns whether the request names the resource: by name, ARN or URL, or as a key of a batch's request items."""
    wanted = _last_part(resource)
    for key, value in request.items():
        if isinstance(value, str) and _last_part(value) == wanted:
            return True
        if key == "RequestItems" and isinstance(value, dict) and wanted in map(_last_part, value):
            return True
    return False


def _last_part(name: str) -> str:
    return name.replace("/", ":").rpartition(":")[2]


def digest(data: bytes) -> str:
    """Returns a short name for the data of a record."""
    return hashlib.sha256(data).hexdigest()[:16]
