"""The order and the batches that a replay repeats, tested on one shard."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.faults.carried import digest
from harness.inside.kinesis import script as module
from harness.inside.kinesis.script import Script


class Shard:
    """As much of a shard as a script needs."""

    is_open = True

    def __init__(self):
        self.records = []

    def wait_for(self, index, timeout_s):
        return len(self.records) > index

    def read(self, index, limit, _max_bytes):
        return [type("Record", (), {"data": data}) for data in self.records[index : index + limit]]


def scripted(*batches):
    script = Script()
    script.add("Function", [[digest(data) for data in batch] for batch in batches])
    return script


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(8)))
def test_records_are_stored_in_the_order_of_the_earlier_run_whoever_comes_first(arrivals):
    script, stored = scripted([b"%d" % n for n in range(8)]), []

    def put(number):
        with script.turn(b"%d" % number):
            stored.append(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, arrivals))
    assert stored == list(range(8))
    assert script.kept


def test_a_record_that_was_not_there_waits_for_nothing_and_a_doubled_one_has_two_turns():
    script, stored = scripted([b"a", b"a", b"b"]), []
    for data in (b"new", b"a", b"a", b"b", b"a"):
        with script.turn(data):
            stored.append(data)
    assert stored == [b"new", b"a", b"a", b"b", b"a"]


def test_who_waits_in_vain_ends_the_order(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    script, stored = scripted([b"a", b"b"]), []
    with script.turn(b"b"):
        stored.append(b"b")
    assert not script.kept
    assert stored == [b"b"]


def test_a_batch_ends_where_it_ended_and_what_a_filter_excluded_stands_between():
    script, shard = scripted([b"a", b"b"], [b"c"]), Shard()
    shard.records = [b"a", b"excluded", b"b", b"c", b"d"]
    assert script.size_of("Function", shard, 0, 500) == 3
    assert script.size_of("Function", shard, 3, 500) == 1
    assert script.size_of("Function", shard, 4, 500) is None, "no batch is told any more"
    assert script.size_of("Another", shard, 0, 500) is None


def test_a_batch_is_waited_for_and_not_longer_than_the_patience(monkeypatch):
    script, shard = scripted([b"a", b"b"]), Shard()
    shard.records = [b"a"]
    asked = threading.Event()

    def wait_for(index, timeout_s):
        if asked.is_set():
            shard.records.append(b"b")
        asked.set()
        return len(shard.records) > index

    monkeypatch.setattr(shard, "wait_for", wait_for)
    assert script.size_of("Function", shard, 0, 500) == 2
    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    script, shard = scripted([b"a", b"b"]), Shard()
    assert script.size_of("Function", shard, 0, 500) is None
    assert not script.kept


@pytest.mark.parametrize("records", [[b"x", b"y"], [b"b", b"a"]])
def test_other_records_than_before_end_the_order(records):
    script, shard = scripted([b"a", b"b"]), Shard()
    shard.records = records
    assert script.size_of("Function", shard, 0, 2) is None
    assert not script.kept


def test_a_whole_batch_of_excluded_records_is_no_other_order():
    script, shard = scripted([b"a", b"b"]), Shard()
    shard.records = [b"x0", b"x1", b"x2", b"a", b"b"]
    assert script.size_of("Function", shard, 0, 3, filters=True) == 3
    assert script.size_of("Function", shard, 3, 3) == 2
    assert script.kept
