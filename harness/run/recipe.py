"""What decides a run: its scenario, seed, files and faults. Two runs of one recipe offer the same bytes and meet the same faults."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.emulator.clients import DEFAULT_ACCOUNT
from harness.errors import UsageError
from harness.faults.chaos import mix
from harness.faults.check import check_plan
from harness.faults.plan import RecordFault, named
from harness.parts.ports import Load, Lookup, SourceContext
from harness.run.record_faults import FaultyLoad
from harness.stack.template import load_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.faults.plan import Plan
    from harness.scenario.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides a run but the emulator. `input_path` is the file of --input, `lookup_path` the file of --lookup.

    `chaos` are the faults that chaos has chosen, and those that may take their places: a rehearsal makes the plan of them. `batches` and
    `writes` are those of an earlier run that this one repeats (harness/run/order.py), with the logical ids of the template."""

    name: str
    scenario: Scenario
    seed: int
    records: int | None = None
    input_path: Path | None = None
    faults: Plan = ()
    lookup_path: Path | None = None
    chaos: tuple[Plan, Plan] = ((), ())
    batches: tuple[Mapping[str, Any], ...] = ()
    writes: tuple[Mapping[str, Any], ...] = ()

    @property
    def context(self) -> SourceContext:
        """Returns what a source is opened with."""
        return SourceContext(self.seed, self.records, self.input_path, self.lookup_path)


def make_recipe(
    name: str,
    scenario: Scenario,
    seed: int | None = None,
    *,
    records: int | None = None,
    input_path: Path | None = None,
    lookup_path: Path | None = None,
) -> Recipe:
    """Returns the recipe of a new run. Each fault has an id and a seed; `seed` None is the scenario's own.

    Raises UsageError for a fault that can meet nothing."""
    seed = scenario.seed if seed is None else seed
    template = load_template(scenario.stack.template)
    malformers = (*scenario.source.malformers, *scenario.source.arrival_faults)
    faults = scenario.faults
    chosen: Plan = ()
    others: Plan = ()
    if scenario.chaos is not None:
        part = scenario.chaos
        check_plan(part.of, template, malformers, "chaos.of")
        chosen, others = mix(part.of, seed, pick=part.pick, begin=part.begin, length=part.length)
    plan = named((*faults, *chosen, *others), seed)
    check_plan(plan, template, malformers, "faults")
    faults, chosen, others = plan[: len(faults)], plan[len(faults) :][: len(chosen)], plan[len(faults) + len(chosen) :]
    # The load carries the record faults: they need no rehearsal.
    of_records = tuple(fault for fault in chosen if isinstance(fault, RecordFault))
    chosen, others = (tuple(fault for fault in some if not isinstance(fault, RecordFault)) for some in (chosen, others))
    return Recipe(name, scenario, seed, records, input_path, (*faults, *of_records), lookup_path, (chosen, others))


def open_load(recipe: Recipe) -> Load:
    """Returns the load, with the record faults of the plan. Raises UsageError for what the source cannot do."""
    scenario = recipe.scenario
    faults = [fault for fault in recipe.faults if isinstance(fault, RecordFault)]
    if faults and (reason := scenario.source.refuses_record_faults):
        raise UsageError(reason)
    load = scenario.source.open(recipe.context)
    if scenario.lookup is not None and not isinstance(load, Lookup):
        raise UsageError("lookup: this source has nothing to look up")
    return FaultyLoad(load, faults, scenario.source.malformers) if faults else load


def lookup_of(load: Load) -> Lookup:
    """Returns the lookup data of a load, with record faults or without. It is there where the scenario has `lookup`."""
    inner = load.load if isinstance(load, FaultyLoad) else load
    assert isinstance(inner, Lookup)
    return inner


def reproduce_command(
    scenario: str,
    seed: int,
    records: int | None,
    emulator: str,
    input_path: Path | None,
    account: str = DEFAULT_ACCOUNT,
    lookup_path: Path | None = None,
    *,
    strict_runtime: bool = False,
    ignore_unsupported: bool = False,
    workers: int = 1,
    target: Sequence[str] = (),
) -> str:
    """Returns the command that runs the same bytes again."""
    parts = ["pipeproof", "run", scenario, "--seed", str(seed)]
    parts += ["--records", str(records)] if records is not None else []
    parts += ["--emulator", emulator] if emulator != "auto" else []
    parts += ["--account", account] if account != DEFAULT_ACCOUNT else []
    parts += ["--input", str(input_path)] if input_path is not None else []
    parts += ["--lookup", str(lookup_path)] if lookup_path is not None else []
    parts += target
    parts += ["--workers", str(workers)] if workers > 1 else []
    parts += ["--strict-runtime"] if strict_runtime else []
    parts += ["--ignore-unsupported"] if ignore_unsupported else []
    return shlex.join(parts)
