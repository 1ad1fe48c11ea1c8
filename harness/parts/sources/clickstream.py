"""Synthetic clickstream: users in sessions, a believable mix of event types, times that move on with the events.

Faker fills pools once and a seeded `random.Random` picks from them, which is fast. Neither the clock nor global randomness has a part
in a payload, so that the same seed makes the same bytes.
"""

from __future__ import annotations

import json
import random
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any

from faker import Faker
from pydantic import AwareDatetime
from pydantic_core import from_json, to_json

from harness.accounting.record import Record
from harness.parts.formats.file_set import Malformed, malformed_labels, refuse_files
from harness.parts.formats.json_malformers import JSON_MALFORMERS
from harness.parts.part import NotEmpty, Records, one_of
from harness.parts.ports import Source, SourceContext
from harness.parts.variety import TEXTS, Variety

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.parts.ports import Malformer

# Of a hundred events. A purchase follows many views, a signup is rare.
_MIX = {"page_view": 68, "click": 25, "purchase": 5, "signup": 2}
_POOL = 400
_EVENTS_PER_USER = 50
_EVENTS_PER_SESSION = 12
_ACTIVE_SESSIONS = 64
_MEAN_GAP_MS = 800

DEFAULT_START = datetime(2026, 1, 31, 8, tzinfo=UTC)
_REMOVED = object()


def _edited(payload: bytes, **changes: Any) -> bytes:
    document = {**from_json(payload), **changes}
    return to_json({name: value for name, value in document.items() if value is not _REMOVED})


def wrong_type(payload: bytes, rng: random.Random) -> bytes:
    """Puts a number, a list or null where the user's id should be."""
    return _edited(payload, userId=rng.choice([rng.randrange(10**6), ["a"], None]))


def missing_field(payload: bytes, rng: random.Random) -> bytes:
    """Removes one of the required fields."""
    return _edited(payload, **{rng.choice(["eventId", "eventType", "userId", "timestamp"]): _REMOVED})


def unknown_enum(payload: bytes, rng: random.Random) -> bytes:
    """Sets an event type that the schema does not have."""
    return _edited(payload, eventType=rng.choice(["page-view", "PAGE_VIEW", "refund", ""]))


def bad_timestamp(payload: bytes, rng: random.Random) -> bytes:
    """Sets a timestamp that is no date, has no time zone, or names a day that does not exist."""
    return _edited(payload, timestamp=rng.choice(["yesterday", "2026-02-30T10:00:00Z", "2026-01-31T10:00:00", "31/01/2026", ""]))


_ORDER = (
    "bad_json", "truncated", "wrong_type", "missing_field", "unknown_enum", "bad_timestamp", "invalid_utf8", "bom", "oversize", "empty",
)  # fmt: skip
_OWN = {malformer.__name__: malformer for malformer in (wrong_type, missing_field, unknown_enum, bad_timestamp)}
MALFORMERS: dict[str, Malformer] = {name: {**JSON_MALFORMERS, **_OWN}[name] for name in _ORDER}
"""The malformers by name. None of what they make is a valid clickstream event."""


VARIETY = Variety(
    {
        "timestamp: offset": ("Z", "+00:00", "+05:30", "-08:00"),
        "timestamp: time of day": ("as it comes", "midnight", "the last second", "noon", "evening"),
        "timestamp: fraction": ("milliseconds", "none", "microseconds"),
        "eventId": ("lower case", "upper case", "with hyphens", "digits with leading zeros"),
        "userId": ("lower case", "upper case", "digits with leading zeros", "an e-mail address", "beyond ASCII"),
        "sessionId": ("there", "missing", "null"),
        "properties": ("there", "missing", "empty"),
        "fields": ("known", "an unknown one", "an unknown object", "an unknown list"),
        "text": ("ordinary", *TEXTS),
        "number": ("ordinary", "beyond 2**53", "with an exponent", "negative", "with 17 digits"),
        "written": ("compact", "with blanks", "escaped", "in another order"),
    }
)
"""The classes of clickstream events. All are valid, and must be stored with nothing changed."""

OUT_OF_ORDER = "arrival: out of order"
"""An event with the time of another part of the day stands among events that were sent before or after it."""

_NUMBERS = {
    "beyond 2**53": "9007199254740993",
    "with an exponent": "1.5e3",
    "negative": "-7",
    "with 17 digits": "0.30000000000000004",
}
_TIMES = {"midnight": "00:00:00", "the last second": "23:59:59", "noon": "12:00:00", "evening": "21:07:09"}
_FRACTIONS = {"none": "", "microseconds": ".123456"}
_ZONES = {"Z": UTC, "+00:00": UTC, "+05:30": timezone(timedelta(hours=5.5)), "-08:00": timezone(timedelta(hours=-8))}


def _varied(payload: bytes, now_ms: int, classes: Mapping[str, str]) -> tuple[str, str, bytes, bytes]:
    """Returns the id, the partition key, the payload and the promise of an event that is varied."""
    event = from_json(payload)
    zone = _ZONES[classes["timestamp: offset"]]
    local = datetime.fromtimestamp(now_ms // 1000, tz=zone)
    if classes["timestamp: time of day"] in _TIMES:
        local = datetime.combine(local.date(), time.fromisoformat(_TIMES[classes["timestamp: time of day"]]), zone)
    fraction = _FRACTIONS.get(classes["timestamp: fraction"], f".{now_ms % 1000:03d}")
    event["timestamp"] = f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{classes['timestamp: offset']}"
    event["eventId"] = _as_id(event["eventId"], classes["eventId"])
    event["userId"] = _as_id(event["userId"], classes["userId"])
    match classes["sessionId"]:
        case "missing":
            del event["sessionId"]
        case "null":
            event["sessionId"] = None
    _vary_properties(event, classes)
    number = _NUMBERS.get(classes["number"], "")
    bucket = f"{local.astimezone(UTC):%Y-%m-%dT%H}:00:00Z"
    written = _written(event, classes["written"], number)
    # As the pipeline's JSON is written, so that comparing bytes suffices.
    promised = to_json(from_json(_written({**event, "hourBucket": bucket}, "compact", number)))
    return event["eventId"], event["userId"], written, promised


def _vary_properties(event: dict[str, Any], classes: Mapping[str, str]) -> None:
    match classes["properties"]:
        case "missing":
            del event["properties"]
        case "empty":
            event["properties"] = {}
    # Where there are no properties, a text or a number is an unknown field.
    inner = event.get("properties", event)
    if classes["text"] in TEXTS:
        inner["text"] = TEXTS[classes["text"]]
    if classes["number"] in _NUMBERS:
        inner["number"] = _NUMBER
    match classes["fields"]:
        case "an unknown one":
            event["schemaVersion"] = "2"
        case "an unknown object":
            event["geo"] = {"country": "DE", "point": {"lat": 52.52, "lon": 13.405}}
        case "an unknown list":
            event["tags"] = ["a", "", None, [1, {}]]


def _as_id(drawn: str, written: str) -> str:
    match written:
        case "upper case":
            return drawn.upper()
        case "with hyphens":
            return str(uuid.UUID(drawn))
        case "digits with leading zeros":
            return f"000{int(drawn, 16)}"
        case "an e-mail address":
            return f"user.{drawn}+news@example.com"
        case "beyond ASCII":
            return f"jürgen-日本-{drawn}"
        case _:
            return drawn


# Stands for a number until the event is written: most ways to write one are lost in a float.
_NUMBER = "{number}"


def _written(event: dict[str, Any], how: str, number: str) -> bytes:
    if how == "in another order":
        event = dict(reversed(event.items()))
    if how == "with blanks":
        text = json.dumps(event, ensure_ascii=False, indent=2)
    else:
        text = json.dumps(event, ensure_ascii=how == "escaped", separators=(",", ":"))
    if how == "escaped":
        # There is one that needs no escape, in an event of ASCII too.
        text = re.sub('"eventType":"(.)', lambda found: f'"eventType":"\\u{ord(found[1]):04x}', text)
    return text.replace(f'"{_NUMBER}"', number).encode()


class MalformedEvents(Malformed):
    """Spoils a share of the events, by each of the kinds in turn (by all kinds where none are named)."""

    kinds: Annotated[tuple[Annotated[str, one_of(MALFORMERS)], ...], NotEmpty] = tuple(MALFORMERS)


class Clickstream(Source):
    """`records` synthetic events, the first of them at `start`."""

    records: Records
    malformed: MalformedEvents | None = None
    start: AwareDatetime | None = None

    @property
    def malformers(self) -> Mapping[str, Malformer]:
        return MALFORMERS

    def open(self, context: SourceContext) -> ClickstreamLoad:
        """Returns the events. Raises UsageError for --input and --lookup."""
        refuse_files(context)
        share, kinds = (self.malformed.share, self.malformed.kinds) if self.malformed else (0.0, ())
        return ClickstreamLoad(context.seed, context.records or self.records, share, kinds, self.start or DEFAULT_START)


@dataclass(frozen=True)
class ClickstreamLoad:
    """`records` events, of which `malformed_share` (0 to 1) are spoilt, by the kinds in turn.

    Stored events must keep every field, and have the `hourBucket` of their timestamp."""

    seed: int
    records: int
    malformed_share: float = 0.0
    malformed_kinds: Sequence[str] = ()
    start: datetime = DEFAULT_START

    @property
    def total(self) -> int:
        """Returns how many records there are."""
        return self.records

    @property
    def classes(self) -> tuple[str, ...]:
        """Returns the classes of the events, and the kinds in which some are malformed."""
        return (*VARIETY.labels, OUT_OF_ORDER, *malformed_labels(self.malformed_kinds if self.malformed_share else ()))

    def units(self) -> Iterator[Record]:
        """Yields the events in the order of their times; those that are varied may be earlier or later."""
        rng = random.Random(self.seed)
        spoilt = self._spoilt(rng)
        varied = VARIETY.placed(self.records)
        users = [f"{rng.getrandbits(48):012x}" for _ in range(max(self.records // _EVENTS_PER_USER, 10))]
        kinds = [kind for kind, weight in _MIX.items() for _ in range(weight)]
        properties = _properties(self.seed)
        sessions = [(rng.choice(users), f"{rng.getrandbits(64):016x}") for _ in range(_ACTIVE_SESSIONS)]
        pick, bits = rng.random, rng.getrandbits
        now_ms = int(self.start.timestamp() * 1000)
        second, hour, prefix, bucket = -1, -1, "", ""
        for index in range(self.records):
            now_ms += int(pick() * 2 * _MEAN_GAP_MS)
            if now_ms // 1000 != second:
                second = now_ms // 1000
                prefix = datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
                if second // 3600 != hour:
                    hour, bucket = second // 3600, prefix[:13] + ":00:00Z"
            slot = int(pick() * _ACTIVE_SESSIONS)
            user, session = sessions[slot]
            if pick() * _EVENTS_PER_SESSION < 1:
                sessions[slot] = (users[int(pick() * len(users))], f"{bits(64):016x}")
            kind = kinds[int(pick() * 100)]
            record_id = f"{bits(128):032x}"
            body = (
                f'{{"eventId":"{record_id}","eventType":"{kind}","userId":"{user}",'
                f'"timestamp":"{prefix}.{now_ms % 1000:03d}Z","sessionId":"{session}",'
                f'"properties":{properties[kind][int(pick() * _POOL)]}'
            )
            payload, promised = f"{body}}}".encode(), f'{body},"hourBucket":"{bucket}"}}'.encode()
            classes: tuple[str, ...] = ()
            if index in varied:
                classes = varied[index].labels
                if self.records > 1 and varied[index].classes["timestamp: time of day"] in _TIMES:
                    classes = (*classes, OUT_OF_ORDER)
                record_id, user, payload, promised = _varied(payload, now_ms, varied[index].classes)
            if index in spoilt:
                malformer = spoilt[index]
                yield Record(record_id, MALFORMERS[malformer](payload, rng), None, malformer, user)
            else:
                yield Record(record_id, payload, promised, None, user, classes)

    def _spoilt(self, rng: random.Random) -> dict[int, str]:
        """Returns which records are spoilt, and how: the exact share, every kind as often as the others."""
        count = round(self.records * self.malformed_share)
        chosen = sorted(rng.sample(range(self.records), count)) if count else []
        kinds = list(self.malformed_kinds)
        return {index: kinds[number % len(kinds)] for number, index in enumerate(chosen)}


def _properties(seed: int) -> dict[str, list[str]]:
    """Returns ready-made JSON of the `properties` of each event type."""
    fake = Faker(["en_US", "de_DE", "ja_JP"])
    fake.seed_instance(seed)
    rng = random.Random(seed)
    pages = [f"/{fake.uri_path()}" for _ in range(_POOL)]
    agents = [fake["en_US"].user_agent() for _ in range(_POOL)]
    names = [fake.name() for _ in range(_POOL)]
    makers: dict[str, Callable[[int], dict[str, Any]]] = {
        "page_view": lambda i: {"page": pages[i], "referrer": rng.choice([None, *pages]), "userAgent": agents[i]},
        "click": lambda i: {
            "page": pages[i],
            "element": f"#{fake['en_US'].word()}",
            "x": rng.randrange(1920),
            "y": rng.randrange(1080),
        },
        "purchase": lambda _: {
            "orderId": f"{rng.getrandbits(40):010x}",
            "amount": rng.randrange(100, 100_000) / 100,
            "currency": rng.choice(["EUR", "USD", "JPY"]),
            "items": rng.randrange(1, 9),
        },
        "signup": lambda i: {
            "name": names[i],
            "plan": rng.choice(["free", "team", "enterprise"]),
            "newsletter": rng.random() < 0.3,
        },
    }
    return {kind: [to_json(make(i)).decode() for i in range(_POOL)] for kind, make in makers.items()}
