"""Hypothesis strategies of a scenario's load, for property tests of a pipeline's own code. See docs/pytest.md. They need Hypothesis, which pipeproof does not install."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from harness.parts.ports import SourceContext
from harness.parts.units import File
from harness.parts.units import records as records_of
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.accounting.record import Record
    from harness.parts.units import Unit

__all__ = ["files", "records"]

_RECORDS = 100
"""Of each load that is drawn: enough for a few that are malformed."""
_LAST_SEED = 31
"""A load takes longer to make than a record to choose: each is made once."""


def records(scenario: Path | str, *, malformed: bool | None = None) -> st.SearchStrategy[Record]:
    """Returns records as the scenario's source makes them (a name, or a .yaml file): `payload` are the bytes, `promised` is what must be stored of it, in JSON, or None,
    `malformed` says what is wrong with it, or None. With `malformed` they are only such, or only healthy ones.

    Raises UsageError for a scenario that cannot be read."""
    return _drawn(scenario, lambda units: [one for one in records_of(units) if malformed in (None, one.malformed is not None)])


def files(scenario: Path | str) -> st.SearchStrategy[tuple[str, bytes, tuple[Record, ...]]]:
    """Returns files as the scenario's source makes them: name, bytes and records.

    Raises UsageError for a scenario that cannot be read."""
    return _drawn(
        scenario,
        lambda units: [(one.name, b"".join(one.parts()), tuple(one.records())) for one in units if isinstance(one, File)],
    )


def _drawn(scenario: Path | str, chosen: Callable[[Sequence[Unit]], list[Any]]) -> st.SearchStrategy[Any]:
    _, path = find_scenario(str(scenario))
    source = load_scenario(path).source

    @functools.cache
    def some(seed: int) -> list[Any]:
        return chosen(list(source.open(SourceContext(seed, _RECORDS)).units()))

    # Told now, where the strategy is made, and not at the first example.
    some(0)

    @st.composite
    def strategy(draw: st.DrawFn) -> Any:
        found = some(draw(st.integers(0, _LAST_SEED)))
        assume(found)
        return found[draw(st.integers(0, len(found) - 1))]

    return strategy()
