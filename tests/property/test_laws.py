"""The laws catch every way of breaking them, and nothing else."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accounting.record import Record
from harness.laws import assert_conserves, assert_idempotent
from harness.strategies import deliveries

RECORDS = st.lists(st.booleans(), min_size=1, max_size=20).map(
    lambda flags: [
        Record(f"r{n}", json.dumps({"id": f"r{n}", "ok": ok}).encode(), None, None if ok else "bad") for n, ok in enumerate(flags)
    ]
)


def split(payloads):
    documents = [json.loads(payload) for payload in payloads]
    return [one for one in documents if one["ok"]], [one for one in documents if not one["ok"]]


def id_of(document):
    return document["id"]


@given(RECORDS)
def test_a_transform_that_keeps_and_gives_up_each_once_conserves(records):
    assert_conserves(split, records, id_of=id_of)
    assert_conserves(lambda payloads: (split(payloads)[0], [{"id": ""} for _ in split(payloads)[1]]), records, id_of=id_of)


def without(documents, one):
    return [document for document in documents if document != one]


WAYS = {
    "lost|not given up by their ids": lambda kept, given_up, one: (without(kept, one), without(given_up, one)),
    "more often than offered": lambda kept, given_up, _: (kept * 2, given_up * 2),
    "malformed, and kept|healthy, and given up": lambda kept, given_up, one: (
        without(kept, one) if one["ok"] else [*kept, one],
        [*given_up, one] if one["ok"] else without(given_up, one),
    ),
    "never offered: 'other'": lambda kept, given_up, _: ([*kept, {"id": "other"}], given_up),
    "given up without an id": lambda kept, given_up, _: (kept, [*given_up, {"id": ""}]),
}


@pytest.mark.parametrize("told", WAYS)
@given(records=RECORDS, place=st.integers(0, 19))
def test_whatever_breaks_it_is_told(told, records, place):
    one = json.loads(records[place % len(records)].payload)
    with pytest.raises(AssertionError, match=told):
        assert_conserves(lambda payloads: WAYS[told](*split(payloads), one), records, id_of=id_of)


@given(st.data())
def test_a_schedule_delivers_everything_at_least_once(data):
    items = data.draw(st.lists(st.integers(), max_size=12))
    schedule = data.draw(deliveries(items, most=4))
    assert all(1 <= len(batch) <= 4 for batch in schedule)
    came = Counter(item for batch in schedule for item in batch)
    assert set(came) == set(items)
    assert all(came[item] >= count for item, count in Counter(items).items())


def test_what_a_second_delivery_changes_is_told():
    table, log = {}, []
    assert_idempotent(table.update, {"a": 1}, state=lambda: dict(table))
    with pytest.raises(AssertionError, match=r"after two:  \[1, 1\]"):
        assert_idempotent(log.append, 1, state=lambda: list(log))
    counts = {"a" * 1_000: 0, "b": 0}

    def count(event):
        counts[event] = counts.get(event, 0) + 1

    with pytest.raises(AssertionError, match=r"has left:\n  'c': 1, then 2$"):
        assert_idempotent(count, "c", state=lambda: dict(counts))
