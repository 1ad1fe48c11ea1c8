"""Malformers: each spoils one JSON object in its own way. None of what they make is a valid clickstream event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

# One byte more than a Kinesis record may have.
OVERSIZE_BYTES = 1024 * 1024 + 1


def _edited(payload: bytes, **changes: Any) -> bytes:
    document = from_json(payload)
    for name, value in changes.items():
        if value is _REMOVED:
            del document[name]
        else:
            document[name] = value
    return to_json(document)


_REMOVED = object()


def bad_json(payload: bytes, _rng: random.Random) -> bytes:
    """A quote too many: {"eventId"":…"""
    return payload.replace(b'"', b'""', 1)


def truncated(payload: bytes, rng: random.Random) -> bytes:
    """Cut off somewhere inside."""
    return payload[: rng.randrange(1, len(payload) - 1)]


def wrong_type(payload: bytes, rng: random.Random) -> bytes:
    """A number, a list or null where the user's id should be."""
    return _edited(payload, userId=rng.choice([rng.randrange(10**6), ["a"], None]))


def missing_field(payload: bytes, rng: random.Random) -> bytes:
    """One of the required fields is not there."""
    return _edited(payload, **{rng.choice(["eventId", "eventType", "userId", "timestamp"]): _REMOVED})


def unknown_enum(payload: bytes, rng: random.Random) -> bytes:
    """An event type that there is not."""
    return _edited(payload, eventType=rng.choice(["page-view", "PAGE_VIEW", "refund", ""]))


def bad_timestamp(payload: bytes, rng: random.Random) -> bytes:
    """No date, no time zone, or a day that there is not."""
    return _edited(payload, timestamp=rng.choice(["yesterday", "2026-02-30T10:00:00Z", "2026-01-31T10:00:00", "31/01/2026", ""]))


def invalid_utf8(payload: bytes, _rng: random.Random) -> bytes:
    """A byte that UTF-8 does not have, inside the first string."""
    return payload.replace(b'"', b'"\xff', 1)


def bom(payload: bytes, _rng: random.Random) -> bytes:
    """A byte order mark before the JSON, as some editors write it."""
    return b"\xef\xbb\xbf" + payload


def oversize(payload: bytes, _rng: random.Random) -> bytes:
    """One byte more than a stream record may have."""
    padding = OVERSIZE_BYTES - len(payload) - len(b',"padding":""')
    return payload[:-1] + b',"padding":"' + b"x" * padding + b'"}'


def empty(_payload: bytes, _rng: random.Random) -> bytes:
    """Nothing at all."""
    return b""


MALFORMERS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    malformer.__name__: malformer
    for malformer in (
        bad_json, truncated, wrong_type, missing_field, unknown_enum, bad_timestamp, invalid_utf8, bom, oversize, empty,
    )
}  # fmt: skip
