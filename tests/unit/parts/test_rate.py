"""Rate shapes say when a record may be sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.parts.rate import Constant, Stage, Stages, Unlimited

rates = st.floats(0.5, 1000)
shapes = st.one_of(
    st.just(Unlimited()),
    rates.map(lambda rate: Constant(shape="constant", records_per_s=rate)),
    st.lists(
        st.builds(lambda rate, s: Stage(records_per_s=rate, seconds=s), rates, st.floats(0.5, 20)), min_size=1, max_size=4
    ).map(lambda stages: Stages(shape="stages", stages=stages)),
)


def test_a_constant_rate_spreads_records_evenly():
    assert [Constant(shape="constant", records_per_s=4).due_s(n) for n in range(5)] == [0, 0.25, 0.5, 0.75, 1]


def test_stages_follow_each_other_and_the_last_goes_on():
    shape = Stages(
        shape="stages",
        stages=[{"records_per_s": 10, "seconds": 2}, {"records_per_s": 1, "seconds": 5}, {"records_per_s": 100, "seconds": 1}],
    )
    assert shape.due_s(0) == 0
    assert shape.due_s(20) == 2
    assert shape.due_s(22) == 4
    assert shape.due_s(25) == 7
    assert shape.due_s(225) == 9


@given(shapes, st.integers(0, 10_000))
def test_no_record_is_due_before_the_one_ahead_of_it(shape, number):
    assert 0 <= shape.due_s(number) <= shape.due_s(number + 1)
