"""`pipeproof prove`: does the harness notice? Each scenario runs clean, and must pass; then with each of its planted defects, and must fail,
with the anomaly that the defect leads to. All runs share one emulator, each in an account of its own."""

from __future__ import annotations

import shlex
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.accounting.verdict import Judgement
from harness.emulator.shared import Shared
from harness.run import events
from harness.run.catalogue import find_scenario
from harness.run.defects import Defect, plant
from harness.run.engine import Plan, reproduce_command
from harness.run.engine import run as run_plan
from harness.run.parts import make_plan, make_source
from harness.run.run_dir import create_run_dir
from harness.run.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harness.emulator.emulator import Emulator

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
    run_dir: Path

    @property
    def good(self) -> bool:
        return self.outcome in {CAUGHT, CLEAN}


def cases(defects: Sequence[Defect], scenarios: Sequence[str], seeds: int = 1) -> list[Case]:
    """Each scenario that has defects (or just those asked for), clean with each seed from 1 on (its own, where only one is wanted), and
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


def prove(todo: Sequence[Case], emulator: Emulator, out: Path, workers: int, tell: Callable[[str], None]) -> Iterator[Proof]:
    """Runs the cases on the emulator, a few at a time, and yields each as it ends; `tell` hears what takes long before. Raises UsageError for a case that cannot be set up,
    UnknownVerdictError where the emulator does not come up. The emulator is stopped in every case."""
    try:
        for step in emulator.prepare():
            tell(step)
        shared = Shared(emulator, emulator.start())
        with (
            tempfile.TemporaryDirectory(prefix="pipeproof-prove-") as scratch,
            ThreadPoolExecutor(workers, thread_name_prefix="prove") as pool,
        ):
            futures = [
                pool.submit(_prove, case, shared, out, Path(scratch) / str(number), f"{number + 1:012d}")
                for number, case in enumerate(todo)
            ]
            try:
                for future in as_completed(futures):
                    yield future.result()
            except BaseException:
                # Their emulator goes: what runs ends soon, and with no verdict.
                pool.shutdown(wait=False, cancel_futures=True)
                emulator.stop()
                raise
    finally:
        emulator.stop()


def _prove(case: Case, emulator: Shared, out: Path, scratch: Path, account: str) -> Proof:
    name, path = find_scenario(case.scenario)
    scenario = load_scenario(path)
    label = f"{name}-{case.defect.name}" if case.defect else name
    if case.defect is not None:
        template = plant(case.defect, scenario.stack.template, scratch)
        scenario = scenario.model_copy(update={"stack": scenario.stack.model_copy(update={"template": template})})
    seed = scenario.seed if case.seed is None else case.seed
    faults = make_plan(scenario, seed)
    source = make_source(scenario, seed, None, None, faults)
    run_dir = create_run_dir(out, label)
    command = (
        shlex.join(["pipeproof", "prove", case.scenario])
        if case.defect
        else reproduce_command(case.scenario, seed, None, "auto", None)
    )
    plan = Plan(label, scenario, seed, source, emulator, "shared", command, run_dir, account, faults)
    *_, finished = run_plan(plan)
    assert isinstance(finished, events.RunFinished)
    return _judge(case, finished)


def _judge(case: Case, finished: events.RunFinished) -> Proof:
    verdict, anomalies = finished.verdict, finished.account.anomalies
    why = "; ".join(verdict.reasons)
    fired = sum(fault["fired"] for fault in finished.faults)
    if case.defect is None:
        outcome = {Judgement.PASS: CLEAN, Judgement.FAIL: FALSE_ALARM, Judgement.UNKNOWN: UNKNOWN}[verdict.judgement]
        return Proof(case, outcome, sum(anomalies.values()), fired, why, finished.run_dir)
    found = anomalies[case.defect.anomaly]
    caught = verdict.judgement is Judgement.FAIL and found > 0
    return Proof(case, CAUGHT if caught else MISSED, found, fired, why, finished.run_dir)


def judge_proofs(proofs: Sequence[Proof]) -> Judgement:
    """A fail on a miss or a false alarm; else unknown where a clean run had no verdict; else a pass."""
    if any(proof.outcome in {MISSED, FALSE_ALARM} for proof in proofs):
        return Judgement.FAIL
    return Judgement.UNKNOWN if any(proof.outcome == UNKNOWN for proof in proofs) else Judgement.PASS
