"""The lake: its transforms, and its queries as they stand, in DuckDB."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clickstream.transforms import partition
from pipeline.lake.transforms import Rejected, bronze_key, bronze_row, build_of, days, superseded
from tests.loads import PIPELINES

SILVER, GOLD = ((PIPELINES / "lake" / "queries" / f"{layer}.sql").read_text() for layer in ("silver", "gold"))
PLACE = {"received_at": "2026-01-31T12:00:00.000+00:00", "shard_id": "shardId-000000000000", "sequence_number": "1"}
EVENTS = st.fixed_dictionaries(
    {
        "eventId": st.sampled_from(["a", "b", "c", "d", "e"]),
        "eventType": st.sampled_from(["page_view", "click"]),
        "userId": st.sampled_from(["u", "v", "w"]),
        "timestamp": st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 2, 12), timezones=st.timezones()).map(datetime.isoformat),  # noqa: DTZ001
    },
    optional={"note": st.text()},
)


@given(st.binary() | EVENTS.map(lambda event: json.dumps(event).encode()))
def test_any_bytes_are_a_row_that_has_them_or_are_rejected_with_a_reason(payload):
    row = bronze_row(payload, **PLACE)
    if isinstance(row, Rejected):
        assert row.error
        return
    event = json.loads(payload)
    assert row.document["payload"].encode() == payload
    assert (row.document["event_id"], row.document["occurred_at"]) == (event["eventId"], event["timestamp"])
    assert datetime.fromisoformat(event["timestamp"]).astimezone(UTC).strftime("%Y-%m-%dT%H") == row.document["hour_bucket"][:13]


def layers(events):
    """Silver and gold of each day, from events in the order in which they were received."""
    rows = []
    for place, event in enumerate(events):
        where = {**PLACE, "received_at": f"2026-01-31T12:00:{place // 3:02d}", "sequence_number": f"{place:06d}"}
        rows.append(bronze_row(json.dumps(event).encode(), **where))
    with duckdb.connect() as db:
        names = [
            "event_id",
            "event_type",
            "user_id",
            "occurred_at",
            "hour_bucket",
            "received_at",
            "shard_id",
            "sequence_number",
            "payload",
        ]
        db.execute(f"CREATE TABLE bronze ({', '.join(f'{name} VARCHAR' for name in [*names, 'dt', 'hour'])})")
        for row in rows:
            parts = dict(part.split("=") for part in partition(row.hour).split("/"))
            db.execute(
                f"INSERT INTO bronze VALUES ({', '.join('?' * 11)})",
                [*(row.document[name] for name in names), parts["dt"], parts["hour"]],
            )
        found = {}
        for (dt,) in db.execute("SELECT DISTINCT dt FROM bronze").fetchall():
            db.execute("DROP TABLE IF EXISTS silver")
            db.execute(f"CREATE TABLE silver AS SELECT *, '{dt}' AS dt FROM ({SILVER.replace('?', '$1')})", [dt])
            silver = db.execute("SELECT event_id, payload, hour FROM silver").fetchall()
            found[dt] = silver, sorted(db.execute(GOLD, [dt]).fetchall())
        return found


@given(st.lists(EVENTS, max_size=12))
def test_silver_has_each_event_of_a_day_once_as_it_came_first_and_gold_counts_them(events):
    expected = defaultdict(dict)
    for event in events:
        expected[datetime.fromisoformat(event["timestamp"]).astimezone(UTC).strftime("%Y-%m-%d")].setdefault(
            event["eventId"], event
        )
    found = layers(events)
    assert set(found) == set(expected)
    for dt, (silver, gold) in found.items():
        firsts = expected[dt]
        assert {event_id: json.loads(payload) for event_id, payload, _ in silver} == firsts
        assert len(silver) == len(firsts)
        for event_id, _, hour in silver:
            assert datetime.fromisoformat(firsts[event_id]["timestamp"]).astimezone(UTC).strftime("%H") == hour
        counted = defaultdict(list)
        for event in firsts.values():
            counted[event["eventType"]].append(event["userId"])
        assert gold == sorted((kind, len(users), len(set(users))) for kind, users in counted.items())


HOURS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 4)).map(lambda at: at.replace(minute=0, second=0, microsecond=0))  # noqa: DTZ001


@given(st.sets(st.tuples(HOURS, st.integers(0, 3)), max_size=12), st.tuples(HOURS, st.integers(4, 5)))
def test_a_day_has_another_fingerprint_with_each_object_that_comes_and_only_then(batches, late):
    def key(batch):
        return bronze_key(batch[0], "shardId-000000000000", str(batch[1]), str(batch[1] + 9))

    objects = [(key(batch), "etag") for batch in sorted(batches)]
    before = {day.dt: day for day in days(objects)}
    of_silver = ("silver/dt=2026-01-01/build=x/hour=00/y.parquet", "etag")
    assert {day.dt: day for day in days(reversed([*objects, of_silver]))} == before
    after = {day.dt: day for day in days([*objects, (key(late), "etag")])}
    overwritten = {day.dt: day for day in days([*objects, (key(late), "other")])}
    assert {dt for dt, day in overwritten.items() if after[dt] != day} == {late[0].strftime("%Y-%m-%d")}
    changed = {dt for dt, day in after.items() if before.get(dt) != day}
    assert changed == {late[0].strftime("%Y-%m-%d")}
    assert late[0].strftime("%H") in after[late[0].strftime("%Y-%m-%d")].hours


def test_what_belongs_to_a_build_that_is_not_in_use_is_superseded_and_bronze_never_is():
    keys = [
        "bronze/dt=2026-01-01/hour=00/a.ndjson",
        *(f"{layer}/dt=2026-01-01/build={build}/x" for layer in ("silver", "gold") for build in "no"),
    ]
    assert superseded(keys, {"n"}) == ["silver/dt=2026-01-01/build=o/x", "gold/dt=2026-01-01/build=o/x"]
    assert superseded(keys, {build_of("s3://lake/silver/dt=2026-01-01/build=o/hour=03/")}) == [keys[1], keys[3]]
    assert superseded(keys, ()) == keys[1:]
