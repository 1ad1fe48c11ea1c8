"""Record faults and chaos: nothing vanishes in the load itself, and the same seed is the same plan."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from harness.faults.chaos import mix, possible
from harness.faults.plan import dump, load, named
from harness.parts.ports import COPY, DUPLICATE, LATE
from harness.parts.sources.clickstream import MALFORMERS, ClickstreamLoad
from harness.run.record_faults import FaultyLoad
from tests import loads

ARRIVALS = (DUPLICATE, COPY, LATE)
RECORD_FAULTS = (*MALFORMERS, *ARRIVALS)

windows = st.sampled_from(["0", "every 3", "2 mod 7", "10-30", "25% in 0-200", "all"])
faults = st.lists(
    st.builds(
        lambda malform, records: {"kind": "record", "malform": malform, "records": records}, st.sampled_from(RECORD_FAULTS), windows
    ),
    max_size=4,
)


@given(st.integers(0, 2**32), st.integers(1, 150), faults, st.sampled_from([0.0, 0.3]))
def test_every_record_of_the_source_is_offered_and_every_other_twice_only_where_the_plan_says_so(seed, records, documents, share):
    plan = named(load(documents), seed)

    def clickstream():
        return ClickstreamLoad(seed, records, malformed_share=share, malformed_kinds=tuple(MALFORMERS))

    plain = dict(enumerate(clickstream().units()))
    source = FaultyLoad(clickstream(), plan, MALFORMERS)
    offered = list(source.units())
    kinds = {}
    for number, record in plain.items():
        fault = next((f for f in plan if record.malformed is None and f.window.holds(number, f.seed)), None)
        kinds[record.record_id] = fault.malform if fault else None
    counts = Counter(record.record_id for record in offered)
    assert counts == {record_id: 2 if kind in {DUPLICATE, COPY} else 1 for record_id, kind in kinds.items()}
    by_id = {record.record_id: record for record in plain.values()}
    for record in offered:
        kind = kinds[record.record_id]
        before = by_id[record.record_id].malformed
        assert record.malformed == (kind if kind not in {None, *ARRIVALS} else before)
        assert (record.promised is None) == (record.malformed is not None or record.filtered is not None)
    copies = Counter(record.record_id for record in offered if record.filtered)
    assert copies == {record_id: 1 for record_id, kind in kinds.items() if kind == COPY}
    assert all(record.payload == by_id[record.record_id].payload for record in offered if record.malformed is None)
    assert sum(source.fired.values()) == sum(kind is not None for kind in kinds.values())
    assert list(source.units()) == offered, "the same bytes every time"


def test_a_late_record_comes_behind_the_next_hundred():
    (plan,) = named(load([{"kind": "record", "malform": "late", "records": "5"}]), 1)
    ids = [record.record_id for record in ClickstreamLoad(1, 300).units()]
    offered = [record.record_id for record in FaultyLoad(ClickstreamLoad(1, 300), [plan], MALFORMERS).units()]
    assert offered == [*ids[:5], *ids[6:105], ids[5], *ids[105:]]


POOL = load(
    [
        {"id": "a", "kind": "throttle", "service": "s3"},
        {"id": "b", "kind": "cut", "service": "sqs"},
        {"id": "c", "kind": "lambda_timeout", "function": "f"},
        {"id": "d", "kind": "record", "malform": "bom", "records": "every 9"},
    ]
)


@given(st.integers(0, 2**32), st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
def test_chaos_is_the_same_for_the_same_seed_and_keeps_to_its_bounds(seed, pick, begin, length):
    plan, others = mix(POOL, seed, pick=pick, begin=begin, length=length)
    assert (plan, others) == mix(POOL, seed, pick=pick, begin=begin, length=length)
    assert len(plan) == min(pick, len(POOL))
    assert {fault.id for fault in (*plan, *others)} == {fault.id for fault in POOL}
    for fault in (*plan, *others):
        if fault.kind != "record":
            ((first, last),) = fault.window.ranges
            assert 1 <= first <= begin
            assert 1 <= last - first + 1 <= length


@given(st.integers(0, 2**32), st.integers(1, 3), st.dictionaries(st.sampled_from("abc"), st.integers(0, 6)))
def test_a_plan_of_chaos_has_only_what_can_happen_and_no_fewer_faults_than_that(seed, pick, seen):
    chosen, others = mix(POOL[:3], seed, pick=pick, begin=5, length=4)
    plan = possible(chosen, others, seen)
    able = {name for name, events in seen.items() if events}
    assert len(plan) == min(pick, len(able))
    assert {fault.id for fault in chosen} & able <= {fault.id for fault in plan}
    for fault in plan:
        ((first, last),) = fault.window.ranges
        assert 1 <= first <= last <= seen[fault.id]
    by_id = {fault.id: fault for fault in (*chosen, *others)}
    assert all(fault == by_id[fault.id] for fault in plan if by_id[fault.id].window.ranges[0][1] <= seen[fault.id])


@given(faults, st.integers(0, 9))
def test_a_plan_is_the_same_after_it_has_been_written_and_read(documents, seed):
    plan = named((*POOL, *load(documents)), seed)
    assert load(dump(plan)) == plan


@given(st.integers(0, 2**32), st.sampled_from(["0", "every 3", "2 mod 7", "10-30", "25% in 0-60"]))
def test_rows_of_files_are_spoilt_by_their_number_in_the_load_each_time_they_are_read(seed, window):
    plan = named(load([{"kind": "record", "malform": "empty_row", "records": window}]), seed)
    orders = loads.files("orders", seed, 60, number=3)
    faulty = FaultyLoad(orders, plan, loads.module("orders").CSV_MALFORMERS)
    expected = ["empty_row" if plan[0].window.holds(number, plan[0].seed) else None for number in range(60)]
    units = list(faulty.units())
    for _ in range(2):
        assert [record.malformed for file in units for record in file.rows()] == expected
        assert [file.name for file in units] == [file.name for file in orders.units()]
    assert sum(faulty.fired.values()) == sum(kind is not None for kind in expected)


def test_a_copy_comes_behind_the_next_hundred_and_one_of_both_counts():
    (plan,) = named(load([{"kind": "record", "malform": "copy", "records": "5"}]), 1)
    ids = [record.record_id for record in ClickstreamLoad(1, 300).units()]
    offered = list(FaultyLoad(ClickstreamLoad(1, 300), [plan], MALFORMERS).units())
    assert [record.record_id for record in offered] == [*ids[:105], ids[5], *ids[105:]]
    assert [record.filtered for record in (offered[5], offered[105])] == [None, "a copy of an earlier record"]
    assert offered[5].payload == offered[105].payload
