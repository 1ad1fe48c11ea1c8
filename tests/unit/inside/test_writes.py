"""The order of the writes of one object, in a replay."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.inside import writes
from harness.inside.writes import Line


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(6)))
def test_writes_are_made_in_the_order_of_the_earlier_run_whoever_comes_first(arrivals):
    line, made = Line([[f"record-{n}"] for n in range(6)]), []

    def write(number):
        if line.wait(f'{{"id": "record-{number}"}}'):
            made.append(number)
            line.done()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, arrivals))
    assert made == list(range(6))
    assert line.kept


def test_a_writer_that_was_not_there_waits_for_nobody():
    line = Line([["record-1"], ["record-2"]])
    assert not line.wait("record-9")
    assert line.wait("record-1 and record-2"), "the first of its writes is due"


def test_a_write_that_is_refused_keeps_its_turn():
    line = Line([["record-1"], ["record-2"]])
    assert line.wait("record-1")
    assert line.wait("record-1"), "tried again"
    line.done()
    assert line.wait("record-2")


def test_who_waits_in_vain_ends_the_order(monkeypatch):
    monkeypatch.setattr(writes, "_PATIENCE_S", 0.05)
    line = Line([["record-1"], ["record-2"]])
    assert not line.wait("record-2")
    assert not line.kept
