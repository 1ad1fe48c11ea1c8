"""The transforms of logs: pure functions from bytes to bytes. A line is a JSON object, or one of Apache's common or combined log format."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

# The names under which loggers write these; the first that a line has counts.
_TIMESTAMPS = ("timestamp", "@timestamp", "time", "ts")
_LEVELS = ("level", "severity", "levelname")
_SERVICES = ("service", "logger", "app")
_TRACES = ("traceId", "trace_id", "xray_trace_id", "trace.id")
_MESSAGES = ("message", "msg")

# https://httpd.apache.org/docs/current/mod/mod_log_config.html#examples; within quotes a quote is written \".
_QUOTED = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_APACHE = re.compile(rf"(\S+) (\S+) (\S+) \[([^\]]+)\] {_QUOTED} (\d{{3}}) (\d{{1,18}}|-)(?: {_QUOTED} {_QUOTED})?\s*")
_APACHE_TIME = "%d/%b/%Y:%H:%M:%S %z"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# JSON has no number for infinity, but Python reads 1e999 as one.
_MAY_OVERFLOW = re.compile(rb"[eE]\+?\d\d|\d{200}")


class Normalised(NamedTuple):
    """What a line says. `event` is the line's JSON object, byte for byte; of an Apache line it is an object of its fields."""

    timestamp: str | None
    level: Any
    service: Any
    trace_id: Any
    message: Any
    event: bytes

    def document(self, upload_id: bytes, line: int) -> bytes:
        """Returns the stored line, with its line feed. `upload_id` is JSON: the upload whose line it is."""
        head = to_json(
            {
                "timestamp": self.timestamp,
                "level": self.level,
                "service": self.service,
                "traceId": self.trace_id,
                "message": self.message,
            }
        )
        return head[:-1] + b',"event":' + self.event + b',"upload":' + upload_id + b',"line":' + str(line).encode() + b"}\n"


class Malformed(NamedTuple):
    """Why a line cannot be stored."""

    error: str
    message: str


def normalise(line: bytes) -> Normalised | Malformed:
    """Total: a line is exactly one of the two. Blank lines are not for here: `is_blank` tells them."""
    if line.lstrip()[:1] == b"{":
        return _of_json(line)
    return _of_apache(line)


def is_blank(line: bytes) -> bool:
    """Returns whether a line holds nothing: such lines are dropped."""
    return not line.strip()


def _of_json(line: bytes) -> Normalised | Malformed:
    try:
        # In a list: what is stored of it is one level deeper, and must be read again.
        (event,) = from_json(b"[" + line + b"]", allow_inf_nan=False)
        if _MAY_OVERFLOW.search(line):
            # Raises ValueError: what is stored must be read as it was written.
            json.dumps(event, allow_nan=False)
    except ValueError as error:
        return Malformed("InvalidJson", str(error))
    time = _first(event, _TIMESTAMPS)
    try:
        timestamp = None if time is None else _instant(time)
    except (ValueError, OverflowError):
        return Malformed("InvalidTimestamp", f"{to_json(time)[:100].decode(errors='replace')} is no time")
    level, service, trace_id, message = (_first(event, names) for names in (_LEVELS, _SERVICES, _TRACES, _MESSAGES))
    return Normalised(timestamp, level, service, trace_id, message, line.strip())


def _of_apache(line: bytes) -> Normalised | Malformed:
    try:
        match = _APACHE.fullmatch(line.decode())
    except UnicodeDecodeError as error:
        return Malformed("InvalidUtf8", f"byte {error.start + 1}")
    if match is None:
        return Malformed("UnknownFormat", "neither a JSON object nor a line of an Apache access log")
    host, _, user, time, request, status, size, referrer, agent = match.groups()
    try:
        timestamp = _written(datetime.strptime(time, _APACHE_TIME))  # noqa: DTZ007 - the format has an offset
    except (ValueError, OverflowError):
        return Malformed("InvalidTimestamp", f"{time[:100]} is no time")
    method, _, rest = request.partition(" ")
    path, _, protocol = rest.rpartition(" ")
    event = {
        "host": host, "user": _unless_dash(user), "method": method, "path": path, "protocol": protocol,
        "status": int(status), "bytes": None if size == "-" else int(size),
        "referrer": _unless_dash(referrer), "agent": _unless_dash(agent),
    }  # fmt: skip
    level = "ERROR" if status >= "500" else "WARN" if status >= "400" else "INFO"
    return Normalised(timestamp, level, "access", None, request, to_json(event))


def _first(event: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if event.get(name) is not None:
            return event[name]
    return None


def _instant(time: Any) -> str:
    """Returns a time as ISO 8601 in UTC. A time without an offset is UTC; a number counts seconds since the epoch, milliseconds,
    microseconds or nanoseconds; its size tells which. Raises ValueError or OverflowError for any other value."""
    if isinstance(time, int | float) and not isinstance(time, bool):
        per_second = next(per for per in (1, 10**3, 10**6, 10**9) if abs(time) < 10**11 * per or per == 10**9)
        microseconds = time * 10**6 // per_second if isinstance(time, int) else round(time * (10**6 / per_second))
        return _written(_EPOCH + timedelta(microseconds=microseconds))
    if not isinstance(time, str):
        raise ValueError("neither text nor a number")  # noqa: TRY004 - the caller knows ValueErrors
    moment = datetime.fromisoformat(time.strip().replace(",", "."))
    return _written(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _unless_dash(value: str | None) -> str | None:
    return None if value == "-" else value
