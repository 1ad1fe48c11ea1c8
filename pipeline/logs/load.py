"""Synthetic logs: files of JSON lines and Apache lines, plain and packed, as the logs pipeline takes them."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from harness.api import (
    JSON_MALFORMERS,
    TEXTS,
    Draft,
    Entry,
    File,
    FileSet,
    FileSource,
    Malformed,
    NotEmpty,
    Record,
    Variety,
    one_of,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from harness.api import Malformer

BLANK = "a blank line"


def bad_timestamp(payload: bytes, rng: random.Random) -> bytes:
    """Writes a time that no clock shows."""
    return _with(payload, "timestamp", rng.choice(["yesterday", "2025-02-30T12:00:00Z", "", {"seconds": 1}]))


def not_an_object(payload: bytes, rng: random.Random) -> bytes:
    """Writes JSON that is no object."""
    return rng.choice([b"[" + payload + b"]", b'"started"', b"42"])


def plain_text(_payload: bytes, rng: random.Random) -> bytes:
    """Writes a line of a stack trace, as a process does that prints besides its log."""
    return rng.choice([b"    at com.example.Checkout.pay(Checkout.java:42)", b"Traceback (most recent call last):", b"^"])


def cut_access(_payload: bytes, _rng: random.Random) -> bytes:
    """Writes a line of an access log that ends in the middle."""
    return b'10.0.0.7 - - [17/May/2025:10:05:03 +0000] "GET /cart HTTP/1.1" 200'


# An empty line is blank: the pipeline drops it.
MALFORMERS: dict[str, Malformer] = {kind: malformer for kind, malformer in JSON_MALFORMERS.items() if kind != "empty"} | {
    malformer.__name__: malformer for malformer in (bad_timestamp, not_an_object, plain_text, cut_access)
}
KINDS = tuple(MALFORMERS)
FILE_FAULTS = ("empty_file", "not_gzip", "cut_off_gzip")

# Loggers name alike what means the same: timestamp, level, service, trace, message.
_NAMES = {
    "timestamp": ("timestamp", "level", "service", "traceId", "message"),
    "@timestamp": ("@timestamp", "levelname", "logger", "trace.id", "message"),
    "time": ("time", "level", "app", "xray_trace_id", "msg"),
    "ts": ("ts", "severity", "service", "trace_id", "msg"),
}

VARIETY = Variety(
    {
        "line": ("JSON", "Apache combined", "Apache common", "blank"),
        "time": ("Z", "offset", "no offset", "a blank for T", "seconds", "milliseconds", "nanoseconds", "none"),
        "names": tuple(_NAMES),
        "text": ("ordinary", *TEXTS),
        "fields": ("some", "none besides", "nested", "large numbers"),
    }
)
"""The classes of lines. All are valid."""

FILE_VARIETY = Variety(
    {
        "file: kind": (".log", ".json", ".json.gz", ".log.gz"),
        "file: byte order mark": ("none", "UTF-8"),
        "file: lines end with": ("LF", "CRLF"),
        "file: the last line": ("ends", "does not end"),
    }
)

_FIRST = datetime(2025, 5, 17, 10, 5, 3, tzinfo=UTC)
_SERVICES = ("checkout", "search", "auth-service", "billing")
_LEVELS = ("DEBUG", "INFO", "INFO", "INFO", "WARN", "ERROR")
_MESSAGES = ("payment accepted", "cache miss", "user signed in", "retrying upstream", "queue depth is 17")
_PATHS = ("/", "/cart", "/search?q=caf%C3%A9", "/img/a b.png", '/say/\\"hello\\"')
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "-")


class MalformedLogs(Malformed):
    """Spoils a share of the lines, by each of the kinds in turn (by all kinds where none are named)."""

    kinds: Annotated[tuple[Annotated[str, one_of(MALFORMERS)], ...], NotEmpty] = KINDS


class Logs(FileSource):
    """Synthetic logs. `overwritten` gives all files of a kind one name: each but the last is overwritten while it is read."""

    malformed: MalformedLogs | None = None
    file_faults: tuple[Annotated[str, one_of(FILE_FAULTS)], ...] = ()
    overwritten: bool = False

    arrival_faults: ClassVar[tuple[str, ...]] = ()

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        """Returns the malformers whose lines are malformed."""
        return MALFORMERS

    def generated(self, seed: int, records: int) -> FileSet:
        """Returns the files of this seed."""
        kind = Overwritten if self.overwritten else FileSet
        of = (self.files, self.malformed, self.file_faults, "app", "raw-logs/")
        return kind(LogFormat(), entries, seed, records, *of, variety=VARIETY)


@dataclass(frozen=True)
class LogFormat:
    """Lines, with or without a byte order mark before the first; packed where the name ends in .gz."""

    suffix: str = ""
    malformers: Mapping[str, Malformer] = field(default_factory=lambda: MALFORMERS)
    without_records: frozenset[str] = frozenset({"empty_file"})
    variety: Variety = FILE_VARIETY

    def written(self, values: Any, classes: Mapping[str, str]) -> bytes:  # noqa: ARG002 - a line is written alike in all files
        """Returns a line."""
        line: bytes = values
        return line

    def damaged(self, payload: bytes, fault: str) -> bytes:  # noqa: ARG002 - the lines of a spoilt file are healthy
        """Returns a line as it stands in a file with this fault."""
        return payload

    def file(self, name: str, rows: Callable[[], Iterator[Record]], fault: str | None, classes: Mapping[str, str]) -> File:
        """Returns the file around the lines."""
        if fault == "empty_file":
            return File(f"{name}.log", rows, itself=Record(name, b"", None, fault))
        if fault is not None:
            plain = File(f"{name}.log.gz", rows)
            return replace(plain, body=lambda: [b"".join(plain.parts()) if fault == "not_gzip" else _packed(plain)[:-9]])
        line_end = b"\r\n" if classes["file: lines end with"] == "CRLF" else b"\n"
        mark = b"\xef\xbb\xbf" if classes["file: byte order mark"] == "UTF-8" else b""
        end = line_end if classes["file: the last line"] == "ends" else b""
        plain = File(name + classes["file: kind"], rows, mark, line_end, end)
        return replace(plain, body=lambda: [_packed(plain)]) if plain.name.endswith(".gz") else plain


class Overwritten(FileSet):
    """Files of which all of a kind have the name of the first of them: every but the last is overwritten."""

    def units(self) -> Iterator[File]:
        """Yields the files in their order."""
        names: dict[str, str] = {}
        for file in super().units():
            suffix = file.name[file.name.index(".") :]
            yield replace(file, name=names.setdefault(suffix, file.name))


def entries(draft: Draft) -> Iterator[Entry]:
    """Yields the lines of a file. What is stored of a line has its event as it was written."""
    rng = draft.rng
    for index in range(draft.count):
        classes = draft.varied[index].classes if index in draft.varied else VARIETY.ordinary
        moment = _FIRST + timedelta(seconds=rng.randrange(86_400), microseconds=rng.choice([0, 678_000, 123_456]))
        record_id = f"{draft.file}-{index}"
        if classes["line"] == "blank":
            yield Entry(record_id, rng.choice([b"", b"  ", b"\t"]), {}, None, BLANK)
        elif classes["line"] == "JSON":
            yield Entry(record_id, *_json(rng, moment, classes, record_id), draft.spoilt.get(index))
        else:
            yield Entry(
                record_id, *_apache(rng, moment.replace(microsecond=0), combined=classes["line"] == "Apache combined"), None
            )


def _json(rng: random.Random, moment: datetime, classes: Mapping[str, str], record_id: str) -> tuple[bytes, dict[str, Any]]:
    time = _time(moment, classes["time"])
    message = TEXTS.get(classes["text"], rng.choice(_MESSAGES))
    level, service, trace = rng.choice(_LEVELS), rng.choice(_SERVICES), f"{rng.getrandbits(128):032x}"
    event: dict[str, Any] = dict(zip(_NAMES[classes["names"]], (time, level, service, trace, message), strict=True))
    if classes["time"] == "none":
        del event[classes["names"]]
    event["id"] = record_id
    match classes["fields"]:
        case "some":
            event |= {"durationMs": rng.randrange(5000), "host": f"ip-10-0-0-{rng.randrange(255)}"}
        case "nested":
            event |= {"request": {"path": rng.choice(_PATHS), "headers": [{"n": "a", "v": [1, None, True]}]}}
        case "large numbers":
            event |= {"orderId": rng.getrandbits(80), "ratio": 0.1 + 0.2, "tiny": 1e-300}
    written = None if classes["time"] == "none" else _written(moment)
    promised = {"timestamp": written, "level": level, "service": service, "traceId": trace, "message": message, "event": event}
    return json.dumps(event, ensure_ascii=rng.random() < 0.5).encode(), promised


def _time(moment: datetime, how: str) -> Any:
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    match how:
        case "offset":
            return moment.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat()
        case "no offset":
            return moment.replace(tzinfo=None).isoformat()
        case "a blank for T":
            return moment.isoformat(sep=" ")
        case "seconds":
            return microseconds / 10**6
        case "milliseconds":
            # A whole number: of a millisecond nothing may be lost.
            return microseconds // 1000 if microseconds % 1000 == 0 else microseconds
        case "nanoseconds":
            return microseconds * 1000
        case _:
            return _written(moment)


def _apache(rng: random.Random, moment: datetime, *, combined: bool) -> tuple[bytes, dict[str, Any]]:
    path, agent, status, size = (
        rng.choice(_PATHS),
        rng.choice(_AGENTS),
        rng.choice([200, 200, 304, 399, 400, 404, 499, 500, 503]),
        rng.randrange(10**6),
    )
    host, user = f"10.0.{rng.randrange(255)}.{rng.randrange(255)}", rng.choice(["-", "frank"])
    there = moment.astimezone(timezone(timedelta(hours=rng.choice([0, 2, -7]))))
    line = f'{host} - {user} [{there:%d/%b/%Y:%H:%M:%S %z}] "GET {path} HTTP/1.1" {status} {size if status != 304 else "-"}'
    line += f' "https://example.com/" "{agent}"' if combined else ""
    event = {
        "host": host, "user": None if user == "-" else user, "method": "GET", "path": path, "protocol": "HTTP/1.1",
        "status": status, "bytes": None if status == 304 else size,
        "referrer": "https://example.com/" if combined else None, "agent": agent if combined and agent != "-" else None,
    }  # fmt: skip
    level = {4: "WARN", 5: "ERROR"}.get(status // 100, "INFO")
    promised = {"timestamp": _written(moment), "level": level, "service": "access", "traceId": None}
    return line.encode(), {**promised, "message": f"GET {path} HTTP/1.1", "event": event}


def _written(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _with(payload: bytes, name: str, value: Any) -> bytes:
    return json.dumps({**json.loads(payload), name: value}).encode()


def _packed(file: File) -> bytes:
    return gzip.compress(b"".join(file.parts()), mtime=0)
