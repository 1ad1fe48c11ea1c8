"""The indexed shard."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.inside.kinesis.shard import IndexedShard


def filled(count, size=1):
    shard = IndexedShard(3, 0, 2**128)
    return shard, [shard.append("k", bytes([n % 256]) * size) for n in range(count)]


def test_sequence_numbers_lead_back_to_their_index():
    shard, numbers = filled(50)
    assert [shard.index_of(n) for n in numbers] == list(range(50))
    assert all(len(n) == 56 for n in numbers)


@given(st.lists(st.lists(st.tuples(st.text(max_size=3), st.binary(max_size=3)), max_size=4), max_size=4))
def test_records_that_come_together_are_those_that_come_one_by_one(requests):
    together, one_by_one = (IndexedShard(3, 0, 2**128) for _ in range(2))
    one_by_one._first_sequence = together._first_sequence
    for entries in requests:
        assert together.append_all(entries) == [one_by_one.append(key, data) for key, data in entries]
    count = sum(map(len, requests))
    stored, others = (
        [(r.sequence_number, r.partition_key, r.data) for r in shard.read(0, 100, 1 << 20)] for shard in (together, one_by_one)
    )
    assert (stored, together.tip) == (others, count)


def test_a_waiting_reader_is_woken_by_records_that_come_together():
    shard, _ = filled(1)
    threading.Timer(0.05, lambda: shard.append_all([("k", b"x"), ("k", b"y")])).start()
    assert shard.wait_for(2, timeout_s=30)


def test_a_sequence_number_of_another_shard_is_refused():
    shard, _ = filled(5)
    other, numbers = filled(5)
    other._shard_id = 4
    with pytest.raises(ValueError, match="not a sequence number"):
        shard.index_of(str(int(numbers[0]) + 10**40))


@given(st.integers(0, 30), st.integers(0, 40), st.integers(1, 10))
def test_reading_returns_the_records_from_the_index_on(count, index, limit):
    shard, numbers = filled(count)
    read = shard.read(index, limit, 1 << 20)
    assert [r.sequence_number for r in read] == numbers[index : index + limit]


def test_a_read_ends_before_it_exceeds_its_bytes_but_never_at_nothing():
    shard, _ = filled(5, size=100)
    assert len(shard.read(0, 5, 250)) == 2
    assert len(shard.read(0, 5, 10)) == 1


def test_trimming_forgets_old_records_and_keeps_the_indexes_of_the_others():
    shard, numbers = filled(10)
    cut = shard._log[4].arrived_at_s
    shard.trim(cut)
    gone = shard.horizon
    assert gone <= 4
    assert shard.tip == 10
    assert [r.sequence_number for r in shard.read(0, 100, 1 << 20)] == numbers[gone:]
    assert shard.index_of(numbers[9]) == 9


def test_a_waiting_reader_is_woken_by_the_record_it_waits_for():
    shard, _ = filled(1)
    threading.Timer(0.05, lambda: shard.append("k", b"x")).start()
    assert shard.wait_for(1, timeout_s=30)
    assert not shard.wait_for(2, timeout_s=0.01)


def test_concurrent_writers_get_different_numbers():
    shard = IndexedShard(0, 0, 2**128)
    numbers = []
    threads = [threading.Thread(target=lambda: numbers.extend(shard.append("k", b"x") for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(numbers)) == 2000
    assert shard.tip == 2000
