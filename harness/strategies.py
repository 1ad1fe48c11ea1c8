"""Hypothesis strategies of a scenario's load and of its faults, for property tests of a pipeline's own code. See docs/pytest.md. They need Hypothesis, which pipeproof does not install."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import assume
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.explore.points import points
from harness.parts.ports import SourceContext
from harness.parts.units import File
from harness.parts.units import records as records_of
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.accounting.record import Record
    from harness.explore.points import Point
    from harness.parts.units import Unit

__all__ = ["deliveries", "fault_plans", "files", "records"]

T = TypeVar("T")
_OF_CALLS = ("throttle", "error", "latency", "hang", "cut", "reply_lost")
# An init cannot be foreseen: how many environments there are differs from run to run.
_OF_FUNCTIONS = (
    "lambda_error_before", "lambda_error_after", "lambda_timeout", "lambda_throttled", "lambda_killed_before", "lambda_killed_after", "lambda_slow",
)  # fmt: skip
_TIMED = frozenset({"latency", "hang", "lambda_slow"})
# A client that is refused so often in a row gives up, and so does AWS.
_LONGEST_WINDOW = 3
_RECORDS = 100
"""Of each load that is drawn: enough for a few that are malformed."""
_LAST_SEED = 31
"""A load takes longer to make than a record to choose: each is made once."""


def records(scenario: Path | str, *, malformed: bool | None = None) -> st.SearchStrategy[Record]:
    """Returns records as the scenario's source makes them (a name, or a .yaml file): `payload` are the bytes, `promised` is what must be stored of it, in JSON, or None,
    `malformed` says what is wrong with it, or None. With `malformed` they are only such, or only healthy ones.

    Raises UsageError for a scenario that cannot be read, or has no such records."""
    what = {None: "records", True: "malformed records", False: "healthy records"}[malformed]
    return _drawn(
        scenario, what, lambda units: [one for one in records_of(units) if malformed in (None, one.malformed is not None)]
    )


def files(scenario: Path | str) -> st.SearchStrategy[tuple[str, bytes, tuple[Record, ...]]]:
    """Returns files as the scenario's source makes them: name, bytes and records.

    Raises UsageError for a scenario that cannot be read, or has no files."""
    return _drawn(
        scenario,
        "files",
        lambda units: [(one.name, b"".join(one.parts()), tuple(one.records())) for one in units if isinstance(one, File)],
    )


def deliveries(batch: Sequence[T], *, most: int = 10) -> st.SearchStrategy[list[list[T]]]:
    """Returns schedules of deliveries as sources that deliver at least once make them: every item comes, in batches of at most `most`, in any order, and some come
    again."""

    @st.composite
    def strategy(draw: st.DrawFn) -> list[list[T]]:
        again = draw(st.lists(st.sampled_from(batch), max_size=len(batch))) if batch else []
        left = draw(st.permutations([*batch, *again]))
        schedule = []
        while left:
            size = draw(st.integers(1, most))
            schedule.append(left[:size])
            left = left[size:]
        return schedule

    return strategy()


def fault_plans(run_dir: Path | str, *, most: int = 3, seconds: float = 1) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Returns plans of one to `most` faults, for `faults` of a scenario that has run before: each meets a call or an invocation that there was in the run, so that it
    can fire again. `seconds` is how long what is slow or hangs takes.

    The run is read when a plan is drawn: a UsageError is raised there for a directory that is none of a run with a journal."""
    places = functools.cache(lambda: [point for point in points(Path(run_dir)) if point.count])

    @st.composite
    def fault(draw: st.DrawFn) -> dict[str, Any]:
        point = draw(st.sampled_from(places()))
        first = draw(st.integers(1, point.count))
        window = f"{first}-{draw(st.integers(first, min(point.count, first + _LONGEST_WINDOW)))}"
        kind = draw(st.sampled_from(_kinds(point)))
        timed = {"seconds": seconds} if kind in _TIMED else {}
        return {"kind": kind, **point.address, point.window: window, **timed}

    return st.lists(fault(), min_size=1, max_size=most, unique_by=lambda one: str({**one, "calls": "", "invocations": ""}))


def _kinds(point: Point) -> list[str]:
    if not point.call:
        return list(_OF_FUNCTIONS)
    return [*_OF_CALLS, *(["partial"] if point.is_partial else [])]


def _drawn(scenario: Path | str, what: str, chosen: Callable[[Sequence[Unit]], list[Any]]) -> st.SearchStrategy[Any]:
    _, path = find_scenario(str(scenario))
    source = load_scenario(path).source

    @functools.cache
    def some(seed: int) -> list[Any]:
        return chosen(list(source.open(SourceContext(seed, _RECORDS)).units()))

    # Told now, where the strategy is made, and not at the first example.
    if not any(some(seed) for seed in range(_LAST_SEED + 1)):
        raise UsageError(f"{scenario} has no {what}")

    @st.composite
    def strategy(draw: st.DrawFn) -> Any:
        found = some(draw(st.integers(0, _LAST_SEED)))
        assume(found)
        return found[draw(st.integers(0, len(found) - 1))]

    return strategy()
