"""The generator: reproducible to the byte, the exact share of malformed records, promises that hold."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from pydantic_core import from_json, to_json

from harness.parts.sources.clickstream import MALFORMERS, ClickstreamLoad
from pipeline.clickstream import transforms

# Bytes of the payloads, each with its length. A change of the generator changes them: then, and only then, so may this.
FINGERPRINT = "0b89584fb002570d6be1030df5065d9ddaa62f6694275dc0c38c293c80dddefd"


def fingerprint(source):
    digest = hashlib.sha256()
    for record in source.units():
        digest.update(len(record.payload).to_bytes(8) + record.payload)
    return digest.hexdigest()


def test_the_same_seed_makes_the_same_bytes_as_ever():
    source = ClickstreamLoad(1, 500, 0.05, tuple(k for k in MALFORMERS if k != "oversize"))
    assert fingerprint(source) == FINGERPRINT
    assert fingerprint(source) == FINGERPRINT, "iterating twice makes the same records"


def test_another_seed_makes_other_bytes():
    assert fingerprint(ClickstreamLoad(1, 50)) != fingerprint(ClickstreamLoad(2, 50))


def test_the_malformed_share_is_exact_and_every_kind_has_its_part():
    records = list(ClickstreamLoad(3, 2000, 0.05, tuple(MALFORMERS)).units())
    assert len(records) == 2000
    assert Counter(r.malformed for r in records if r.malformed) == dict.fromkeys(MALFORMERS, 10)


@pytest.mark.parametrize("kind", sorted(set(MALFORMERS) - {"oversize"}))
def test_what_a_malformer_makes_is_no_valid_event(kind):
    for seed in range(20):
        for record in ClickstreamLoad(seed, 10, 1.0, (kind,)).units():
            assert isinstance(transforms.parse(record.payload), transforms.Rejected), record.payload


def test_an_oversize_record_is_one_byte_too_large():
    (record,) = ClickstreamLoad(1, 1, 1.0, ("oversize",)).units()
    assert len(record.payload) == 1024 * 1024 + 1


def test_healthy_events_are_accepted_and_their_promise_is_the_event_and_its_hour():
    for record in ClickstreamLoad(4, 500).units():
        event = transforms.parse(record.payload)
        assert isinstance(event, transforms.Accepted)
        promised = from_json(record.promised)
        assert promised == {**event.document, "hourBucket": transforms.hour_bucket(event.hour)}
        assert to_json(promised) == record.promised, "canonical, so that comparing bytes suffices"
        assert promised["eventId"] == record.record_id


def test_events_come_in_the_order_of_their_time_with_a_believable_mix():
    documents = [from_json(r.payload) for r in ClickstreamLoad(5, 5000).units() if not r.classes]
    times = [d["timestamp"] for d in documents]
    assert times == sorted(times)
    mix = Counter(d["eventType"] for d in documents)
    assert mix["page_view"] > mix["click"] > mix["purchase"] > mix["signup"] > 0
    assert len({d["userId"] for d in documents}) <= 100
    assert all(len({d["userId"] for d in documents if d["sessionId"] == s}) == 1 for s in {documents[0]["sessionId"]})
