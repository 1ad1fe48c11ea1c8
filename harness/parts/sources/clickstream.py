"""Synthetic clickstream: users in sessions, a believable mix of event types, times that move on with the events.

Faker fills pools once and a seeded `random.Random` picks from them, which is fast. Neither the clock nor global randomness has a part
in a payload, so that the same seed makes the same bytes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from faker import Faker
from pydantic import AwareDatetime, PositiveInt
from pydantic_core import from_json, to_json

from harness.accounting.record import Record
from harness.parts.formats.file_set import Malformed, refuse_files
from harness.parts.formats.json_malformers import JSON_MALFORMERS
from harness.parts.part import NotEmpty, one_of
from harness.parts.ports import Source, SourceContext

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


class MalformedEvents(Malformed):
    """Spoils a share of the events, by each of the kinds in turn (by all kinds where none are named)."""

    kinds: Annotated[tuple[Annotated[str, one_of(MALFORMERS)], ...], NotEmpty] = tuple(MALFORMERS)


class Clickstream(Source):
    """`records` synthetic events, the first of them at `start`."""

    records: PositiveInt
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

    def units(self) -> Iterator[Record]:
        """Yields the events in the order of their times."""
        rng = random.Random(self.seed)
        spoilt = self._spoilt(rng)
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
            if index in spoilt:
                malformer = spoilt[index]
                payload = MALFORMERS[malformer](f"{body}}}".encode(), rng)
                yield Record(record_id, payload, None, malformer, user)
            else:
                yield Record(record_id, f"{body}}}".encode(), f'{body},"hourBucket":"{bucket}"}}'.encode(), None, user)

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
