"""Malformers of JSON objects that need not know the fields: each spoils one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

OVERSIZE_BYTES = 1024 * 1024 + 1
"""One byte more than a Kinesis record may have."""


def bad_json(payload: bytes, _rng: random.Random) -> bytes:
    """Doubles the first quote: {"eventId"":…"""
    return payload.replace(b'"', b'""', 1)


def truncated(payload: bytes, rng: random.Random) -> bytes:
    """Cuts the object off somewhere inside."""
    return payload[: rng.randrange(1, len(payload) - 1)]


def invalid_utf8(payload: bytes, _rng: random.Random) -> bytes:
    """Puts a byte that UTF-8 does not have into the first string."""
    return payload.replace(b'"', b'"\xff', 1)


def bom(payload: bytes, _rng: random.Random) -> bytes:
    """Puts a byte order mark before the object, as some editors do."""
    return b"\xef\xbb\xbf" + payload


def oversize(payload: bytes, _rng: random.Random) -> bytes:
    """Pads the object to one byte more than a Kinesis record may have."""
    padding = OVERSIZE_BYTES - len(payload) - len(b',"padding":""')
    return payload[:-1] + b',"padding":"' + b"x" * padding + b'"}'


def empty(_payload: bytes, _rng: random.Random) -> bytes:
    """Leaves nothing."""
    return b""


JSON_MALFORMERS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    malformer.__name__: malformer for malformer in (bad_json, truncated, invalid_utf8, bom, oversize, empty)
}
