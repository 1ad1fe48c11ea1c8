"""The search: tries schedules of faults one after the other or side by side, and makes what loses a record as small as it can."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from harness.accounting.verdict import Judgement
from harness.explore.schedules import Schedule, of_changes, of_points, skipped, smaller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.explore.points import Point

_CONFIRMED = 3
_MOST_SMALLER = 20


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a run with a schedule: the verdict, its reasons, anomalies by kind, and the points that it had."""

    judgement: Judgement
    reasons: tuple[str, ...] = ()
    anomalies: Mapping[str, int] = field(default_factory=dict)
    points: Sequence[Point] = ()
    run_dir: str = ""


class Run(Protocol):
    """Runs the scenario with these faults alone."""

    def __call__(self, faults: tuple[dict[str, Any], ...]) -> Tried: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """A schedule that loses or spoils records, as small as it was made, what came of it, and how often of `runs` it did."""

    faults: tuple[dict[str, Any], ...]
    tried: Tried
    reproduced: int
    runs: int

    @property
    def name(self) -> str:
        return Schedule(self.faults, 0).name


@dataclass(slots=True)
class Explored:
    """What the search did: how many points there are and are not tried, and how many schedules were tried, survived, never met what they were to meet, and were
    left when the time was over. `doubt` says why nothing was explored."""

    points: int = 0
    not_tried: int = 0
    tried: int = 0
    survived: int = 0
    unreached: int = 0
    left: int = 0
    findings: list[Finding] = field(default_factory=list)
    doubt: str = ""

    @property
    def judgement(self) -> Judgement:
        """Returns a fail where a schedule loses records, unknown where nothing could be said, else a pass: as far as was tried."""
        if self.findings:
            return Judgement.FAIL
        return Judgement.UNKNOWN if self.doubt or not self.survived else Judgement.PASS


def explore(
    run: Run, *, depth: int, workers: int, over: Callable[[], bool], tell: Callable[[str], None], most: int | None = None
) -> Explored:  # fmt: skip
    """Runs the scenario without faults, then with schedules of one fault, and of two where `depth` is 2, `workers` at a time, until `over`, and `most` schedules where that is
    given. What fails is made smaller, and tried again.
    `tell` hears what was tried."""
    found = Explored()
    clean = run(())
    if clean.judgement is Judgement.UNKNOWN:
        found.doubt = f"the run without faults has no verdict: {'; '.join(clean.reasons)}"
        return found
    if clean.judgement is Judgement.FAIL:
        found.findings.append(Finding((), clean, 1, 1))
        return found
    found.points, found.not_tried = len(clean.points), skipped(clean.points)
    todo = of_points(clean.points)
    tell(f"{found.points} points, {len(todo)} schedules of one fault")
    failed: list[tuple[Schedule, Tried]] = []
    for schedule, tried in _side_by_side(run, todo, workers, over, most):
        found.tried += 1
        tell(f"{found.tried:>4}  {_outcome(tried):<9}  {schedule.name}")
        if tried.judgement is Judgement.FAIL:
            failed.append((schedule, tried))
        elif tried.judgement is Judgement.UNKNOWN:
            found.unreached += 1
        else:
            found.survived += 1
            if depth > len(schedule.faults):
                todo += of_changes(schedule, clean.points, tried.points)
    found.left = len(todo)
    for schedule, tried in failed:
        tell(f"      smaller than {schedule.name}?")
        found.findings.append(_shrunk(run, schedule, tried))
    return found


def _side_by_side(
    run: Run, todo: list[Schedule], workers: int, over: Callable[[], bool], most: int | None
) -> Iterator[tuple[Schedule, Tried]]:
    """Takes schedules from `todo` while it has any and the time is not over, and yields what came of each, in the order in which they end."""
    with ThreadPoolExecutor(workers, thread_name_prefix="explore") as pool:
        running: dict[Future[Tried], Schedule] = {}
        begun = 0
        try:
            while (todo and begun != most and not over()) or running:
                while todo and len(running) < workers and begun != most and not over():
                    schedule = todo.pop(0)
                    running[pool.submit(run, schedule.faults)] = schedule
                    begun += 1
                for done in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                    yield running.pop(done), done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _outcome(tried: Tried) -> str:
    return {Judgement.PASS: "survived", Judgement.FAIL: "LOST", Judgement.UNKNOWN: "not met"}[tried.judgement]


def _shrunk(run: Run, schedule: Schedule, tried: Tried) -> Finding:
    """Returns the finding in its smallest form, and how often that form fails."""
    faults = schedule.faults
    tries = 0
    again = True
    while again and tries < _MOST_SMALLER:
        again = False
        for simpler in smaller(faults):
            tries += 1
            other = run(simpler)
            if other.judgement is Judgement.FAIL:
                faults, tried, again = simpler, other, True
                break
            if tries >= _MOST_SMALLER:
                break
    outcomes = [run(faults) for _ in range(_CONFIRMED)]
    return Finding(faults, tried, sum(one.judgement is Judgement.FAIL for one in outcomes), _CONFIRMED)


def in_words(found: Explored) -> Iterator[str]:
    """Yields what was found and how much was tried, as lines."""
    for number, finding in enumerate(found.findings, 1):
        what = ", ".join(f"{count:,} {name}" for name, count in finding.tried.anomalies.items() if count) or "; ".join(
            finding.tried.reasons
        )
        yield f"{number}. {finding.name or 'without any fault'}: {what}; {finding.reproduced} of {finding.runs} runs"
    if found.doubt:
        yield found.doubt
    yield (
        f"{found.points} points, of which {found.not_tried} are the load's own; {found.tried} schedules tried: {found.survived} survived, {len(found.findings)} lost or spoilt records, "
        f"{found.unreached} without a verdict; {found.left} left"
    )
