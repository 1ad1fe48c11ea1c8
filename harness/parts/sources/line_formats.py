"""What a line of a log says: Apache's combined log format or a JSON object; and templates that its fields fill."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://httpd.apache.org/docs/current/mod/mod_log_config.html#examples; a quote inside a field is written \".
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_COMBINED = re.compile(rf"(\S+) (\S+) (\S+) \[([^\]]+)\] {_QUOTED} (\d{{3}}) (\d+|-) {_QUOTED} {_QUOTED}\s*")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_ ]*)\}")
_MAY_OVERFLOW = re.compile(rb"[eE]\+?\d\d|\d{200}")
LONGEST_OF_A_LOG = 1 << 20
"""The bytes of the longest line that is matched: what the expression needs is a hundred times as much."""
UNMAPPED = "unmapped line"


class UnmappedLineError(ValueError):
    """The line lacks the form or the fields that the mapping needs."""


APACHE_FIELDS = (
    "host", "ident", "user", "time", "hour", "request", "method", "path", "protocol", "status", "bytes", "referrer", "agent",
)  # fmt: skip


def apache_fields(line: bytes) -> dict[str, Any] | None:
    """Returns the fields of APACHE_FIELDS (`time` and `hour` as ISO 8601 in UTC), or None for a line of another form."""
    try:
        match = _COMBINED.fullmatch(line.decode())
        if match is None:
            return None
        host, ident, user, time, request, status, size, referrer, agent = match.groups()
        moment = datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
        sent = None if size == "-" else int(size)
    except (ValueError, OverflowError):
        # OverflowError: in UTC it is the year 0 or 10000. ValueError: no such time, or a size of thousands of digits.
        return None
    method, _, rest = request.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    return {
        "host": host, "ident": _dash(ident), "user": _dash(user),
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "hour": moment.strftime("%Y-%m-%dT%H:00:00Z"),
        "request": request, "method": method, "path": path, "protocol": protocol,
        "status": int(status), "bytes": sent, "referrer": _dash(referrer), "agent": _dash(agent),
    }  # fmt: skip


def _dash(value: str) -> str | None:
    return None if value == "-" else value


def json_fields(line: bytes) -> dict[str, Any] | None:
    """Returns the JSON object on a line, or None where there is none."""
    try:
        document = from_json(line, allow_inf_nan=False)
        if _MAY_OVERFLOW.search(line):
            # Python reads 1e999 as infinity, and JSON has no number for it. Raises ValueError.
            json.dumps(document, allow_nan=False)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def placeholders(template: Any) -> set[str]:
    """Returns the names of the fields that a template uses."""
    match template:
        case dict():
            return set().union(*map(placeholders, template.values()))
        case list():
            return set().union(*map(placeholders, template))
        case str():
            return set(_PLACEHOLDER.findall(template))
        case _:
            return set()


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """Returns the template with its placeholders replaced. Raises UnmappedLineError for a field that the line lacks."""
    match template:
        case dict():
            return {name: fill(value, values) for name, value in template.items()}
        case list():
            return [fill(value, values) for value in template]
        case str():
            whole = _PLACEHOLDER.fullmatch(template)
            if whole:
                return _field(whole[1], values)
            return _PLACEHOLDER.sub(lambda found: str(_field(found[1], values)), template)
        case _:
            return template


def _field(name: str, values: Mapping[str, Any]) -> Any:
    try:
        return values[name]
    except KeyError:
        message = f"no field {name}"
        raise UnmappedLineError(message) from None
