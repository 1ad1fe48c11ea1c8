"""Runs a scenario with other faults, on a few emulators for all, each run in another AWS account; and writes down what loses a record as a scenario."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import threading
import time
import zlib
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness import interrupts
from harness.accounting.verdict import Judgement
from harness.emulator.shared import Shared
from harness.errors import UsageError
from harness.explore.judging import TOLD, beyond, found_among_told, under_faults
from harness.explore.points import points
from harness.explore.schedules import Schedule, is_outage
from harness.explore.search import Limits, Tried, explore
from harness.faults.plan import RecordFault, dump, load, named
from harness.run.engine import conduct
from harness.run.recipe import make_recipe, open_load
from harness.run.replay import keep
from harness.run.run_dir import LEDGER, create_run_dir
from harness.run.standing import UNUSABLE, Standing, leaves_nothing, may_stand
from harness.run.state import Run
from harness.stack.runtimes import needs_node
from harness.stack.template import load_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.emulator.emulator import Emulator
    from harness.explore.search import Explored, Finding, Known
    from harness.faults.plan import Plan
    from harness.run.prove import Record
    from harness.run.recipe import Recipe
    from harness.scenario.scenario import Scenario


def _go_on(emulator: Shared) -> None:
    """Raises where a wait is to end: the emulator has, or the search is interrupted."""
    emulator.check()
    if interrupts.came():
        raise KeyboardInterrupt


class Running:
    """Callable with faults: runs the scenario with them in the place of those that it has, on a stack that is deployed for this run. Faults of records stay: they are
    part of the load. The directories of runs that survive are not kept; those of the others are in `failed`, but for those whose faults met nothing."""

    def __init__(
        self,
        name: str,
        scenario: Scenario,
        emulators: Sequence[Shared],
        out: Path,
        record: Record,
        *,
        seed: int | None,
        records: int | None,
    ) -> None:
        self._name = name
        self._scenario = searched(scenario)
        self._total = self._scenario.source.open(make_recipe(name, self._scenario, seed, records=records).context).total
        # A fault is addressed to what the template has, and not to what SAM makes of it.
        self._resources = frozenset(load_template(scenario.stack.template)["Resources"])
        self._emulators = emulators
        self._out = out
        self._record = record
        self._seed = seed
        self._records = records
        self.failed: list[Path] = []
        self._accounts = itertools.count(1)
        self._idle: dict[Shared, list[Standing]] = {emulator: [] for emulator in emulators}
        self._may_stand = may_stand(under_faults(self._scenario, outage=False))
        self._busy: Counter[Shared] = Counter()
        self._views: set[Shared] = set()
        self._counting = threading.Lock()

    def __call__(self, faults: tuple[dict[str, Any], ...]) -> Tried:
        with self._some_emulator() as (_, view, number):
            return self._kept(self._run(self._recipe(faults), view, f"{number:012d}"))

    def quick(self, faults: tuple[dict[str, Any], ...]) -> Tried:
        """Does the same on a stack that stands: a new one, or one that has served other schedules before, with other records. What does not survive on such a one is run again
        on a new one. A loss that comes there alone makes the verdict unknown."""
        if not self._may_stand:
            return self(faults)
        with self._some_emulator() as (emulator, view, number):
            tried, is_decided = self._on_standing(faults, emulator, view, f"{number:012d}")
        if is_decided:
            return tried
        if view.is_closed:
            return replace(tried, judgement=Judgement.UNKNOWN, reasons=("broken off",))
        again = self(faults)
        if tried.judgement is not Judgement.FAIL or again.judgement is Judgement.FAIL:
            return again
        reason = f"on a stack that had served other schedules, and with other records: {'; '.join(tried.reasons)}; not on a new one"
        return replace(tried, judgement=Judgement.UNKNOWN, reasons=(reason,), met=True)

    @property
    def place(self) -> str:
        """Returns which emulator it runs on, and of which version."""
        described = self._emulators[0].start()
        return f"{described.kind} {described.name} {described.version}"

    def abandon(self) -> None:
        """Makes the runs that are under way end at their next check, without a verdict."""
        with self._counting:
            for view in self._views:
                view.close()

    def _kept(self, tried: Tried) -> Tried:
        """Keeps the directory of a run that failed, or has no verdict though its faults were met."""
        if tried.judgement is Judgement.FAIL or (tried.judgement is Judgement.UNKNOWN and tried.met):
            self.failed.append(Path(tried.run_dir))
        else:
            shutil.rmtree(tried.run_dir, ignore_errors=True)
        return tried

    def end(self) -> None:
        """Deletes the stacks that stand."""
        for emulator, idle in self._idle.items():
            while idle:
                self._end(idle.pop(), emulator)

    def _end(self, standing: Standing, emulator: Shared) -> None:
        # The emulator may have ended with it.
        with contextlib.suppress(*UNUSABLE):
            standing.end(emulator.start().endpoint)

    def _on_standing(self, faults: tuple[dict[str, Any], ...], emulator: Shared, view: Shared, account: str) -> tuple[Tried, bool]:
        """Returns what came of the schedule on a stack that stands, and whether that decides: on a new stack, and where it has survived."""
        with self._counting:
            standing = self._idle[emulator].pop() if self._idle[emulator] else Standing(account)
        is_new = standing.stack is None
        serves = False
        try:
            if not is_new:
                standing.empty(emulator.start().endpoint, partial(_go_on, view))
            # Records of an earlier schedule would have the same ids. The same schedule has the same records each time.
            other = None if is_new else zlib.crc32(Schedule(faults, 0).name.encode())
            tried = self._run(self._recipe(faults, other), view, standing.account, standing)
            serves = self._may_serve_others(standing, tried)
            self._kept(tried)
        except UNUSABLE as error:
            if is_new:
                raise
            tried = Tried(Judgement.UNKNOWN, (str(error),))
        finally:
            if serves:
                self._idle[emulator].append(standing)
            else:
                self._end(standing, emulator)
        return tried, is_new or serves

    def _may_serve_others(self, standing: Standing, tried: Tried) -> bool:
        """Returns whether a stack may serve other schedules after this one. Where its records have come before, or a function may have left something elsewhere than in stores,
        no stack may."""
        if not standing.has_new_ids(Path(tried.run_dir) / LEDGER):
            self._may_stand = False
        if not all(leaves_nothing(point.call) for point in tried.points if point.call):
            self._may_stand = False
        return self._may_stand and tried.judgement is Judgement.PASS

    def _recipe(self, faults: tuple[dict[str, Any], ...], other: int | None = None) -> Recipe:
        """Returns the recipe of a run; where `other` is given, with other records."""
        scenario = under_faults(self._scenario, outage=is_outage(faults)) if faults else self._scenario
        seed = self._scenario.seed if self._seed is None else self._seed
        recipe = make_recipe(self._name, scenario, seed if other is None else seed + 1 + other, records=self._records)
        # With few records, or with those of another seed, a fault of records may meet none: that is no doubt here.
        of_records = tuple(fault for fault in recipe.faults if self._meets_a_record(fault))
        return replace(recipe, faults=(*of_records, *named(load(list(faults)), recipe.seed)))

    def _meets_a_record(self, fault: Any) -> bool:
        return self._total is None or any(fault.window.holds(number, fault.seed) for number in range(self._total))

    @contextlib.contextmanager
    def _some_emulator(self) -> Iterator[tuple[Shared, Shared, int]]:
        """Gives the block the emulator that has least to do, a view of it for one run, and a number that no other block gets."""
        with self._counting:
            number = next(self._accounts)
            emulator = min(self._emulators, key=lambda one: self._busy[one])
            self._busy[emulator] += 1
            self._views.add(view := emulator.of_one_run())
        try:
            yield emulator, view, number
        finally:
            with self._counting:
                self._busy[emulator] -= 1
                self._views.discard(view)

    def _run(self, recipe: Recipe, emulator: Shared, account: str, standing: Standing | None = None) -> Tried:
        run_dir = create_run_dir(self._out, self._name, latest=False)
        command = f"pipeproof replay {run_dir}"
        shown = not _all_of_records(recipe.faults)
        keep(recipe, run_dir)
        run = Run(
            recipe, open_load(recipe), emulator, "shared", command, run_dir, account, patient=False, shown=shown, standing=standing
        )
        finished = self._record(run_dir, conduct(run))
        judgement, anomalies = finished.verdict.judgement, dict(finished.account.anomalies)
        reasons = finished.verdict.reasons
        if shown and any(anomalies.get(name) for name in TOLD):
            anomalies |= found_among_told(run_dir)
            found = beyond(self._scenario, anomalies)
            if found and judgement is Judgement.PASS:
                judgement, reasons = Judgement.FAIL, tuple(f"{count:,} records {name}" for name, count in found.items())
        try:
            seen = points(run_dir, self._resources)
        except UsageError:
            # A run that ended before its load has none.
            seen = []
        met = not any(fault["fired"] == 0 for fault in finished.faults)
        return Tried(judgement, reasons, anomalies, tuple(seen), str(run_dir), met)


def _all_of_records(faults: Plan) -> bool:
    return all(isinstance(fault, RecordFault) for fault in faults)


def searched(scenario: Scenario) -> Scenario:
    """Returns what is searched of a scenario: all but its faults of calls and functions, which the search chooses itself."""
    of_records = tuple(fault for fault in scenario.faults if isinstance(fault, RecordFault))
    return scenario.model_copy(update={"faults": of_records, "chaos": None})


def write_found(scenario: Scenario, finding: Finding, path: Path, seed: int | None, records: int | None) -> None:
    """Writes a scenario with the faults of a finding, which fails by itself. Raises UsageError where it cannot be written."""
    judged = scenario
    if finding.faults:
        judged = under_faults(scenario, outage=is_outage(finding.faults), found=beyond(scenario, finding.tried.anomalies))
    document = {
        **judged.document(),
        "description": f"Found: {finding.name}.",
        "faults": [*dump(searched(scenario).faults), *finding.faults],
    }
    document.pop("chaos", None)
    document["stack"]["template"] = os.path.relpath(document["stack"]["template"], path.parent.resolve())
    if seed is not None:
        document["seed"] = seed
    if records is not None and "records" in document["source"]:
        document["source"]["records"] = records
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=150), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--found {path.parent}: {error.strerror}") from error


@contextlib.contextmanager
def running(
    name: str, scenario: Scenario, emulators: Sequence[Emulator], out: Path, record: Record, tell: Callable[[str], None], *,
    seed: int | None, records: int | None,
) -> Iterator[Running]:  # fmt: skip
    """Starts emulators, and gives the block what runs a scenario on them. They are stopped in every case. Raises UsageError for what cannot be set up, UnknownVerdictError where
    an emulator does not come up."""
    open_load(make_recipe(name, searched(scenario), seed, records=records))
    with contextlib.ExitStack() as ends:
        shared = []
        for emulator in emulators:
            ends.callback(emulator.stop)
            for step in emulator.prepare(node=needs_node(scenario.stack.template, scenario.stack.parameters)):
                tell(step)
            shared.append(Shared(emulator, emulator.start()))
        run = Running(name, scenario, shared, out, record, seed=seed, records=records)
        try:
            yield run
        except BaseException:
            # What runs is told at its next check, and ends without a verdict.
            for one in shared:
                one.close()
            raise
        finally:
            if any(emulator.stays for emulator in emulators):
                run.end()


def explored(
    name: str, scenario: Scenario, emulators: Sequence[Emulator], out: Path, record: Record, tell: Callable[[str], None], *,
    limits: Limits, budget_s: float, seed: int | None, records: int | None, known: Known | None = None, found: Explored | None = None,
) -> Explored:  # fmt: skip
    """Explores a scenario on emulators for `budget_s` seconds. Of each finding the directory of one run is kept. `found` is what `explore` fills. Raises as `running` does."""
    with running(name, scenario, emulators, out, record, tell, seed=seed, records=records) as run:
        end = time.monotonic() + budget_s
        over = replace(limits, over=lambda: time.monotonic() > end)
        came = explore(run, over, tell, known, found, quick=run.quick, abandon=run.abandon)
    # A finding has failed many times. One of the runs tells why.
    kept = {finding.tried.run_dir for finding in came.findings} | {tried.run_dir for _, tried in came.undecided}
    for run_dir in run.failed:
        if str(run_dir) not in kept:
            shutil.rmtree(run_dir, ignore_errors=True)
    return came
