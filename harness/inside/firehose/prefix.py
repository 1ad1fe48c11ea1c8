"""Prefixes of objects: timestamps, random strings, error types and partition keys.

Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
"""

from __future__ import annotations

import re
import secrets
import string
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXPRESSION = re.compile(r"!\{([^:}]+):([^}]*)\}")
_NAMESPACES = {"timestamp", "firehose", "partitionKeyFromQuery", "partitionKeyFromLambda"}
_DEFAULT = "yyyy/MM/dd/HH/"
_RANDOM_CHARS = 11
# Letters of Java's DateTimeFormatter, the longest first.
_FIELDS: tuple[tuple[str, str], ...] = (
    ("yyyy", "%Y"), ("uuuu", "%Y"), ("YYYY", "%G"), ("yy", "%y"),
    ("MMMM", "%B"), ("MMM", "%b"), ("MM", "%m"), ("dd", "%d"), ("DDD", "%j"),
    ("HH", "%H"), ("hh", "%I"), ("mm", "%M"), ("ss", "%S"), ("SSS", "%f"), ("EEEE", "%A"), ("EEE", "%a"), ("a", "%p"),
)  # fmt: skip


class BadPrefixError(ValueError):
    """A prefix that Firehose refuses."""


def names(prefix: str) -> set[tuple[str, str]]:
    """Returns the expressions of a prefix as (namespace, value)."""
    return {(found[1], found[2]) for found in _EXPRESSION.finditer(prefix)}


def verify(prefix: str, error_prefix: str) -> None:
    """Raises BadPrefixError for prefixes that CreateDeliveryStream refuses."""
    for namespace, value in names(prefix) | names(error_prefix):
        if namespace not in _NAMESPACES or (namespace == "firehose" and value not in {"random-string", "error-output-type"}):
            raise BadPrefixError(f"!{{{namespace}:{value}}} is not an expression of a prefix")
    if ("firehose", "error-output-type") in names(prefix):
        raise BadPrefixError("Prefix cannot contain !{firehose:error-output-type}")
    if names(prefix) and not error_prefix:
        raise BadPrefixError("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions")
    if names(error_prefix) and ("firehose", "error-output-type") not in names(error_prefix):
        raise BadPrefixError("ErrorOutputPrefix must contain !{firehose:error-output-type}")


def evaluated(
    prefix: str, arrived_at_s: float, *, zone: str = "UTC", error: str = "", keys: Mapping[tuple[str, str], str] | None = None
) -> str:
    """Returns the beginning of a key for an object whose oldest record arrived at that time (seconds since the epoch).

    A prefix without a timestamp expression is followed by the hour: yyyy/MM/dd/HH/. `keys` are values of partition keys by (namespace, name)."""
    at = datetime.fromtimestamp(arrived_at_s, ZoneInfo(zone) if zone != "UTC" else UTC)

    def value(found: re.Match[str]) -> str:
        match found[1], found[2]:
            case "timestamp", pattern:
                return _formatted(at, pattern)
            case "firehose", "random-string":
                return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(_RANDOM_CHARS))
            case "firehose", _:
                return error
            case key:
                return (keys or {}).get(key, "")

    made = _EXPRESSION.sub(value, prefix)
    if error and ("firehose", "error-output-type") not in names(prefix):
        made += f"{error}/"
    return made if names(prefix) else made + _formatted(at, _DEFAULT)


def _formatted(at: datetime, pattern: str) -> str:
    """Formats a time by a pattern of Java's DateTimeFormatter; 'quoted' text stays as it is."""
    made, rest = "", pattern
    while rest:
        if rest[0] == "'":
            quoted, _, rest = rest[1:].partition("'")
            made += quoted or "'"
            continue
        for letters, code in _FIELDS:
            if rest.startswith(letters):
                text = at.strftime(code)
                made += text[:3] if letters == "SSS" else text
                rest = rest[len(letters) :]
                break
        else:
            if rest[0] in "MdHhms":
                made += str(int(at.strftime({"M": "%m", "d": "%d", "H": "%H", "h": "%I", "m": "%M", "s": "%S"}[rest[0]])))
            else:
                made += rest[0]
            rest = rest[1:]
    return made
