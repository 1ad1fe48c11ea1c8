"""Laws of the clickstream's transforms: total, nothing dropped, nothing changed, the same however often."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic_core import from_json

from pipeline.clickstream import transforms

NOW = datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=UTC)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.one_of(
    st.integers(), st.integers(-(10**60), 10**60), st.floats(allow_nan=False, allow_infinity=False), st.just(-0.0), st.just(1e308)
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=12,
)
identifiers = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=offsets)  # noqa: DTZ001
timestamps = st.one_of(
    moments.map(lambda m: m.isoformat()),
    moments.map(lambda m: m.isoformat(sep=" ", timespec="seconds")),
    moments.map(lambda m: m.astimezone(UTC).isoformat().replace("+00:00", "Z")),
)


@st.composite
def events(draw):
    event = draw(st.dictionaries(text.filter(lambda t: t not in transforms.ENRICHMENT), values, max_size=3))
    event |= {
        "eventId": draw(identifiers),
        "eventType": draw(st.sampled_from(["page_view", "click", "purchase", "signup"])),
        "userId": draw(identifiers),
        "timestamp": draw(timestamps),
        "properties": draw(st.dictionaries(text, values, max_size=3)),
    }
    if draw(st.booleans()):
        event["sessionId"] = draw(identifiers)
    else:
        event.pop("sessionId", None)
    return event


def accepted(event):
    parsed = transforms.parse(json.dumps(event, ensure_ascii=False).encode())
    assert isinstance(parsed, transforms.Accepted), parsed
    return parsed


@given(st.one_of(st.binary(), values.map(lambda v: json.dumps(v).encode()), events().map(lambda e: json.dumps(e).encode()[:-1])))
@example(b"\xef\xbb\xbf{}")
@example(b'{"a": 1e999}')
@example(b"[" * 10_000)
@example(b'{"timestamp": 99999999999999999999, "eventId": "a", "eventType": "click", "userId": "u"}')
@example(b'{"timestamp": "0001-01-01T00:00:00+14:00", "eventId": "a", "eventType": "click", "userId": "u"}')
@example(b'{"timestamp": "9999-12-31T23:59:59-14:00", "eventId": "a", "eventType": "click", "userId": "u"}')
@example(b'{"a": "\\ud800"}')
@example(b"1" * 5000)
def test_any_bytes_are_accepted_or_rejected_and_never_raise(payload):
    assert isinstance(transforms.parse(payload), transforms.Accepted | transforms.Rejected)


@given(events())
def test_nothing_of_an_event_is_dropped_or_changed(event):
    stored = transforms.enrich(accepted(event), processed_at=NOW, is_new_user=True)
    line = transforms.ndjson([stored])
    found = from_json(line)
    assert line.count(b"\n") == 1
    assert {name: found[name] for name in event} == event
    assert {name: repr(found[name]) for name in event} == {name: repr(value) for name, value in event.items()}
    assert set(found) == {*event, *transforms.ENRICHMENT}


@given(events())
def test_the_hour_is_that_of_the_moment_in_utc(event):
    parsed = accepted(event)
    moment = datetime.fromisoformat(event["timestamp"]).astimezone(UTC)
    assert parsed.hour <= moment < parsed.hour + timedelta(hours=1)
    bucket = transforms.hour_bucket(parsed.hour)
    assert datetime.fromisoformat(bucket) == parsed.hour
    assert transforms.partition(parsed.hour) == f"dt={bucket[:10]}/hour={bucket[11:13]}"


@given(events(), st.booleans())
def test_enriching_is_idempotent_and_leaves_its_input_alone(event, new):
    parsed = accepted(event)
    before = json.dumps(parsed.document)
    first = transforms.enrich(parsed, processed_at=NOW, is_new_user=new)
    assert transforms.enrich(parsed, processed_at=NOW, is_new_user=new) == first
    assert json.dumps(parsed.document) == before


@given(st.lists(events(), max_size=20))
def test_grouping_keeps_every_event_once_and_in_order(batch):
    parsed = [accepted(event) for event in batch]
    groups = transforms.group_by_hour(parsed)
    assert sorted(map(id, parsed)) == sorted(id(event) for group in groups.values() for event in group)
    for hour, group in groups.items():
        assert {event.hour for event in group} == {hour}
        assert [id(event) for event in group] == [id(event) for event in parsed if event.hour == hour]


@given(st.lists(events(), max_size=20))
def test_the_same_batch_makes_the_same_keys_and_bytes(batch):
    def objects():
        groups = transforms.group_by_hour([accepted(event) for event in batch])
        return {
            transforms.object_key(hour, "shardId-0", "1", "9"): transforms.ndjson(
                [transforms.enrich(e, processed_at=NOW, is_new_user=False) for e in group]
            )
            for hour, group in groups.items()
        }

    first = objects()
    assert objects() == first
    assert sum(body.count(b"\n") for body in first.values()) == len(batch)
    assert len(first) == len({accepted(event).hour for event in batch}), "no two hours share a key"


@given(st.lists(events(), max_size=20))
def test_each_user_has_the_first_of_their_events(batch):
    parsed = [accepted(event) for event in batch]
    firsts = transforms.first_events(parsed)
    assert firsts.keys() == {event.user_id for event in parsed}
    for user, event_id in firsts.items():
        assert next(event.event_id for event in parsed if event.user_id == user) == event_id


@given(events(), st.sampled_from(transforms.ENRICHMENT), values)
def test_a_field_that_the_pipeline_sets_is_refused_from_the_sender(event, name, value):
    parsed = transforms.parse(json.dumps({**event, name: value}).encode())
    assert isinstance(parsed, transforms.Rejected)
