"""Windows of events: what is planned is what holds; a share is the same numbers every time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults.window import Window

numbers = st.integers(1, 200)
ranges = st.lists(st.tuples(numbers, st.integers(0, 20)).map(lambda r: (r[0], r[0] + r[1])), min_size=1, max_size=4)


def text_of(bounds):
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in bounds)


@given(ranges, st.integers(1, 300))
def test_a_list_of_ranges_holds_its_numbers_and_no_other(bounds, number):
    window = Window.parse(text_of(bounds))
    assert window.holds(number, "seed") == any(first <= number <= last for first, last in bounds)


@given(ranges, st.integers(1, 9))
def test_what_is_planned_is_as_many_as_hold(bounds, step):
    for text in (text_of(bounds), f"every {step} in {text_of(bounds)}", f"40% in {text_of(bounds)}"):
        window = Window.parse(text)
        assert window.planned("seed") == sum(window.holds(number, "seed") for number in range(1, 300))


@given(ranges, st.integers(1, 9))
def test_no_event_comes_before_the_first_one(bounds, step):
    for text in (text_of(bounds), f"every {step} in {text_of(bounds)}", f"{step - 1} mod {step}"):
        window = Window.parse(text)
        held = [number for number in range(300) if window.holds(number, "seed")]
        assert window.first() <= min(held, default=300)
    assert Window.parse("7 mod 50").first() == 7


@given(st.integers(0, 400), st.text(max_size=5))
def test_a_share_is_decided_by_seed_and_number_alone(number, seed):
    window = Window.parse("35%")
    assert window.holds(number, seed) == window.holds(number, seed)
    assert window.planned(seed) is None


def test_a_share_is_about_as_large_as_it_says():
    assert 300 < sum(Window.parse("35%").holds(n, "any") for n in range(1000)) < 400


@pytest.mark.parametrize(
    ("text", "first_ten"),
    [
        ("3", [3]), ("2-4", [2, 3, 4]), ("1, 8-9", [1, 8, 9]), ("every 5", [5, 10]), ("every 2 in 3-6", [4, 6]),
        ("3 mod 4", [3, 7]), ("all", list(range(1, 11))), ("all in 2-3", [2, 3]),
    ],
)  # fmt: skip
def test_the_forms(text, first_ten):
    assert [n for n in range(1, 11) if Window.parse(text).holds(n, "seed")] == first_ten


@pytest.mark.parametrize("text", ["", "x", "5-3", "every 0", "0%", "101%", "1-", "-3", "every", "1;2", "every 2 in", "3 in 1-5"])
def test_what_names_no_events_is_refused_with_the_forms_there_are(text):
    with pytest.raises(ValueError, match=r"expected a form|before it begins|no such step|above 0 %"):
        Window.parse(text)
