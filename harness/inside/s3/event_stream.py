"""The binary frames of an event stream, as the SDKs read them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import struct
import zlib

_STRING = 7
"""The type of a header whose value is a string."""


def event(kind: str, payload: bytes = b"", content_type: str = "") -> bytes:
    """Returns one event: Records, Stats, Cont or End."""
    headers = {":message-type": "event", ":event-type": kind} | ({":content-type": content_type} if content_type else {})
    return _message(headers, payload)


def error(code: str, message: str) -> bytes:
    """Returns an error that comes after the answer has begun."""
    return _message({":message-type": "error", ":error-code": code, ":error-message": message}, b"")


def _message(headers: dict[str, str], payload: bytes) -> bytes:
    encoded = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", _STRING, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(encoded) + len(payload), len(encoded))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + encoded + payload
    return message + struct.pack("!I", zlib.crc32(message))
