"""`pipeproof prove`: does the harness notice? Each scenario runs clean, and must pass; then with each of its planted defects, and must fail,
with the anomaly that the defect leads to. All runs share one emulator, each in an account of its own."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.accounting.verdict import Judgement
from harness.emulator.shared import Shared
from harness.run import events
from harness.run.defects import Defect, plant
from harness.run.engine import conduct
from harness.run.recipe import Recipe, make_recipe, open_load, reproduce_command
from harness.run.replay import keep
from harness.run.run_dir import create_run_dir
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from harness.stack.runtimes import needs_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.emulator.emulator import Emulator

Record = Callable[[Path, Generator[events.Event]], events.RunFinished]
"""Writes the events of a run into its directory, and returns the last one."""

CAUGHT, MISSED, FALSE_ALARM, CLEAN, UNKNOWN = "caught", "missed", "false alarm", "clean", "unknown"


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario, with a defect or clean; `seed` None is the scenario's own."""

    scenario: str
    defect: Defect | None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a case. `found` is the number of anomalies of the expected kind, for a clean one of all kinds; `faults` how often any
    fault fired."""

    case: Case
    outcome: str
    found: int
    faults: int
    why: str
    run: events.RunFinished

    @property
    def good(self) -> bool:
        return self.outcome in {CAUGHT, CLEAN}


def cases(defects: Sequence[Defect], scenarios: Sequence[str], seeds: int = 1) -> list[Case]:
    """Returns each scenario that has defects (or just those asked for), clean with each seed from 1 on (the scenario's seed, where only one is wanted), and
    with each of its defects."""
    numbers: list[int | None] = [None] if seeds == 1 else list(range(1, seeds + 1))
    by_scenario: dict[str, list[Defect]] = {name: [] for name in scenarios}
    for defect in defects:
        if not scenarios or defect.scenario in by_scenario:
            by_scenario.setdefault(defect.scenario, []).append(defect)
    return [
        case
        for name, of_it in sorted(by_scenario.items())
        for case in (*(Case(name, None, seed) for seed in numbers), *(Case(name, defect) for defect in of_it))
    ]


def prove(
    todo: Sequence[Case], emulator: Emulator, out: Path, workers: int, tell: Callable[[str], None], record: Record
) -> Iterator[Proof]:
    """Runs the cases on the emulator, a few at a time, and yields each as it ends; `tell` hears what takes long before, `record` writes
    down each run. Raises UsageError for a case that cannot be set up, before anything starts; UnknownVerdictError where the emulator does not come up. The emulator is
    stopped in every case."""
    opened, node = set[str](), False
    with tempfile.TemporaryDirectory(prefix="pipeproof-prove-") as scratch:
        for number, case in enumerate(todo):
            # A defect that does not fit, or a load that needs a file, is told before anything starts.
            recipe = planted(case, Path(scratch) / str(number))
            if case.scenario not in opened:
                open_load(recipe)
                opened.add(case.scenario)
                stack = recipe.scenario.stack
                node = node or needs_node(stack.template, stack.parameters)
        try:
            for step in emulator.prepare(node=node):
                tell(step)
            shared = Shared(emulator, emulator.start())
            with ThreadPoolExecutor(workers, thread_name_prefix="prove") as pool:
                futures = [pool.submit(_prove, case, shared, out, f"{number:012d}", record) for number, case in enumerate(todo, 1)]
                try:
                    for future in as_completed(futures):
                        yield future.result()
                except BaseException:
                    # What runs is told at its next check, and ends without a verdict; what waits does not begin.
                    shared.close()
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        finally:
            emulator.stop()


def planted(case: Case, folder: Path) -> Recipe:
    """Returns the recipe of a case; its defect is planted in a copy of the pipeline in the folder, so that the run can be replayed from there."""
    name, path = find_scenario(case.scenario)
    scenario = load_scenario(path)
    if case.defect is not None:
        template = plant(case.defect, scenario.stack.template, folder / "planted")
        scenario = scenario.model_copy(update={"stack": scenario.stack.model_copy(update={"template": template})})
    return make_recipe(f"{name}-{case.defect.name}" if case.defect else name, scenario, case.seed)


def _prove(case: Case, emulator: Shared, out: Path, account: str, record: Record) -> Proof:
    run_dir = create_run_dir(out, f"{case.scenario}-{case.defect.name}" if case.defect else case.scenario)
    recipe = planted(case, run_dir)
    again = shlex.join(["pipeproof", "prove", case.scenario, *(["--defects", str(case.defect.folder)] if case.defect else [])])
    command = again if case.defect else reproduce_command(case.scenario, recipe.seed, None, "auto", None)
    run = Run(recipe, open_load(recipe), emulator, "shared", command, run_dir, account)
    keep(recipe, run_dir)
    return _judge(case, record(run_dir, conduct(run)))


def _judge(case: Case, finished: events.RunFinished) -> Proof:
    verdict, anomalies = finished.verdict, finished.account.anomalies
    fired = sum(fault["fired"] for fault in finished.faults)
    if case.defect is None:
        found = sum(anomalies.values())
    elif case.defect.anomaly:
        found = anomalies[case.defect.anomaly]
    else:
        found = sum(check.check == case.defect.check and not check.holds for check in finished.checks)
    if verdict.judgement is Judgement.UNKNOWN:
        # Neither proven nor refuted, with a defect or without.
        outcome = UNKNOWN
    elif case.defect is None:
        outcome = CLEAN if verdict.judgement is Judgement.PASS else FALSE_ALARM
    else:
        outcome = CAUGHT if found else MISSED
    return Proof(case, outcome, found, fired, "; ".join(verdict.reasons), finished)


def judge_proofs(proofs: Sequence[Proof]) -> Judgement:
    """Returns a fail on a miss or a false alarm; else unknown where a run had no verdict; else a pass."""
    if any(proof.outcome in {MISSED, FALSE_ALARM} for proof in proofs):
        return Judgement.FAIL
    return Judgement.UNKNOWN if any(proof.outcome == UNKNOWN for proof in proofs) else Judgement.PASS
