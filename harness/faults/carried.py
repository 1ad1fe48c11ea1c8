"""What an event or a call carries, as text: how a fault is addressed to the records that it is to meet."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Where the events of streams and of delivery streams, and requests through an API, hold bytes as base64.
_ENCODED = ("data", "body")
_ESCAPE = re.compile(r'\\+(?:u([0-9a-fA-F]{4})|(["/nrtbf]))')
_MEANT = dict.fromkeys("nrtbf", " ")
_POINT = re.compile(r"\.\d")


def text_of_event(payload: bytes | str) -> str:
    """Returns the event of an invocation with what is base64 in it decoded (the data of a stream's records, the body of a request), and
    with what is escaped in it as it is meant."""
    text = payload if isinstance(payload, str) else payload.decode(errors="replace")
    if any(f'"{name}"' in text for name in _ENCODED):
        try:
            text = "\n".join([text, *_decoded(json.loads(text))])
        except ValueError:
            return text
    return with_plain(text)


def items_of_event(payload: bytes | str) -> frozenset[str]:
    """Returns what names the items of an event, its messages or records, by which it is known when they are delivered again; where they have no names, the digest of the event."""
    text = payload if isinstance(payload, str) else payload.decode(errors="replace")
    try:
        records = json.loads(text)["Records"]
        return frozenset(str(one.get("messageId") or one.get("eventID") or one["Sns"]["MessageId"]) for one in records)
    except (ValueError, TypeError, LookupError, AttributeError):
        return frozenset({digest(text.encode())})


def with_plain(text: str) -> str:
    """Returns the text, and behind it what it is without the escapes of JSON, and of JSON that is a text in JSON."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _MEANT.get(found[2], found[2]), text)
    return text + "\n" + plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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
    """Returns an AWS request as JSON, without what is not read yet of its body, and with what is escaped in it as it is meant; bytes are decoded."""
    return with_plain(json_of_call(request))


def json_of_call(request: Any) -> str:
    """Returns an AWS request as JSON, without what is not read yet of its body; bytes are decoded."""
    if isinstance(request, bytes):
        return request.decode(errors="replace")
    if request is None:
        return ""
    if isinstance(request, dict):
        request = {name: value for name, value in request.items() if not hasattr(value, "read")}
    return json.dumps(
        request, ensure_ascii=False, default=lambda other: json_of_call(other) if isinstance(other, bytes) else str(other)
    )


def holds(text: str, wanted: Iterable[str]) -> bool:
    """Returns whether all the strings stand in the text, none of them as a part of a longer name or number."""
    return all(_stands_in(text, one) for one in wanted)


def _stands_in(text: str, wanted: str) -> bool:
    start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not (_joins(text[max(start - 2, 0) : start], wanted[:1], wanted) or _joins(wanted[-1:], text[end : end + 2], wanted)):
            return True
        start = text.find(wanted, start + 1)
    return False


def _joins(left: str, right: str, wanted: str) -> bool:
    """Returns whether the neighbours belong to one name or number with what is wanted; one of the two is its end."""
    if not left or not right:
        return False
    if left[-1:] == "." and left[-2:-1].isdigit():
        return right[:1].isdigit()
    if right[:1] == "." and _POINT.match(right):
        return left[-1:].isdigit() and wanted[-1:].isdigit()
    return all(character.isalnum() or character in {"_", "-"} for character in (left[-1:], right[:1]))


def names(request: Any, resource: str) -> bool:
    """Returns whether the request names the resource: by name, ARN or URL, or as a key of a batch's request items."""
    wanted = last_part(resource)
    return any(name == wanted for name in named_in(request))


def named_in(request: Mapping[str, Any]) -> Iterator[str]:
    """Yields what a request may name a resource by: the last part of each text, and of each key of a batch's request items."""
    for key, value in request.items():
        if isinstance(value, str):
            yield last_part(value)
        elif key == "RequestItems" and isinstance(value, dict):
            yield from map(last_part, value)


def last_part(name: str) -> str:
    """Returns the name in an ARN or a URL."""
    return name.replace("/", ":").rpartition(":")[2]


def digest(data: bytes) -> str:
    """Returns a short name for the data of a record."""
    return hashlib.sha256(data).hexdigest()[:16]
