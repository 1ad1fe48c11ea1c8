"""Small worlds of records and sightings in which everything that can go wrong does, and many of them in one."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from harness.accounting.record import Answer, Observation, Outcome, Record, Status, payload_hash

# Few ids, payloads and sequence numbers: they must meet.
IDS = st.sampled_from(["a", "b", "c", "d"])
PAYLOADS = st.sampled_from([b"p1", b"p2", b"p3"])
SHARDS = st.sampled_from(["s0", "u1"])
PUT = st.sampled_from([None, None, None, "s3://here/in#1", "s3://here/in#2"])
VALUES = st.sampled_from([1, 2, "x", True])


@st.composite
def ledgers(draw):
    pairs = []
    for number in range(draw(st.integers(0, 8))):
        promised = draw(st.one_of(st.none(), VALUES.map(lambda v: json.dumps({"v": v}, separators=(",", ":")).encode())))
        filtered = None if promised else draw(st.sampled_from([None, "too small"]))
        rival = draw(st.sampled_from([None, None, "one", "two"])) if promised else None
        malformed = None if promised or filtered else "spoilt"
        record = Record(draw(IDS), draw(PAYLOADS), promised, malformed, filtered=filtered, rival=rival)
        status = draw(st.sampled_from(Status))
        known = status is Status.ACKED and draw(st.booleans())
        place = (draw(SHARDS), f"{number:02d}") if known else (None, None)
        file_hash = draw(st.sampled_from([None, payload_hash(b"p3"), payload_hash(b"a whole file")]))
        pairs.append((record, Answer(status, 1000, *place, put_at=draw(PUT), file_hash=file_hash)))
    return pairs


@st.composite
def sighting(draw):
    outcome = draw(st.sampled_from([Outcome.STORED, Outcome.DEAD_LETTERED, Outcome.ALERTED]))
    shard = draw(st.one_of(st.none(), SHARDS, st.just("another")))
    return Observation(
        outcome,
        draw(st.sampled_from(["here", "there"])),
        draw(st.one_of(st.none(), IDS, st.just("stranger"))),
        shard,
        # An upload may be named without a line.
        draw(st.one_of(st.none(), st.integers(0, 9).map("{:02d}".format))) if shard else None,
        draw(st.one_of(st.none(), PAYLOADS.map(payload_hash), st.just(payload_hash(b"a whole file")))),
        draw(st.one_of(st.none(), st.integers(1000, 9000))),
        draw(VALUES.map(lambda v: json.dumps({"v": v, "more": 1}).encode())) if outcome is Outcome.STORED else None,
        keeps_payload=draw(st.sampled_from([True, True, False])),
        put_at=draw(PUT),
        misplaced=draw(st.sampled_from([None, None, None, "elsewhere/*"])) if outcome is Outcome.STORED else None,
        incomplete=draw(st.sampled_from([None, None, None, "it does not say when"])),
    )


@st.composite
def sightings(draw):
    """Some of them in an order, in which no two have the same place."""
    seen = draw(st.lists(sighting(), max_size=12))
    return [o._replace(position=n) if draw(st.booleans()) else o for n, o in enumerate(seen)]


def side_by_side(worlds):
    """Many worlds as one: no record or sighting of one has a key, a place or a rival of another."""
    pairs, seen = [], []
    for number, (records, sighted) in enumerate(worlds):
        mark = f" of {number}"

        def own(text, mark=mark):
            return None if text is None else text + mark

        hashes = {
            payload_hash(payload): payload_hash(payload + mark.encode()) for payload in (b"p1", b"p2", b"p3", b"a whole file")
        }
        pairs += [
            (
                record._replace(record_id=own(record.record_id), payload=record.payload + mark.encode(), rival=own(record.rival)),
                answer._replace(shard=own(answer.shard), put_at=own(answer.put_at), file_hash=hashes.get(answer.file_hash)),
            )
            for record, answer in records
        ]
        seen += [
            one._replace(
                place=own(one.place), record_id=own(one.record_id), shard=own(one.shard), put_at=own(one.put_at),
                payload_hash=hashes.get(one.payload_hash),
            )
            for one in sighted
        ]  # fmt: skip
    return pairs, seen
