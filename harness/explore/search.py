"""The search: tries schedules of faults one after the other or side by side, and makes what loses a record as small as it can."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from harness.accounting.verdict import Judgement
from harness.explore.room import LOOKS_EVERY_S
from harness.explore.schedules import OTHER_PLACE, Schedule, of_changes, of_points, skipped, smaller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.explore.points import Point

# The points of a schedule's faults, and the kinds of anomalies that it leads to.
Group = tuple[tuple[tuple[Any, ...], ...], frozenset[str]]

CONFIRMED = 10
"""How often the smallest form of a finding is run."""
_AGAIN = 3
_MOST_CANDIDATES = 3
# Behind every rank that a schedule has.
_LAST = 1000
_MOST_SMALLER = 20
_WAITING_FOR_EACH_WORKER = 2
# More than these would be too many for one emulator.
_MOST_TIMES = 2


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a run with a schedule: the verdict, its reasons, anomalies by kind, and the points that it had."""

    judgement: Judgement
    reasons: tuple[str, ...] = ()
    anomalies: Mapping[str, int] = field(default_factory=dict)
    points: Sequence[Point] = ()
    run_dir: str = ""
    met: bool = True
    """Whether all its faults met what they were to meet."""


class Run(Protocol):
    """Runs the scenario with these faults alone."""

    def __call__(self, faults: tuple[dict[str, Any], ...]) -> Tried: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """A schedule that loses or spoils records, as small as it was made, what came of it, and how often of `runs` it did. So many other schedules at the same points led to
    the same anomalies: `alike`."""

    faults: tuple[dict[str, Any], ...]
    tried: Tried
    reproduced: int
    runs: int
    alike: int = 0

    @property
    def name(self) -> str:
        return Schedule(self.faults, 0).name


@dataclass(slots=True)
class Explored:
    """What the search did: the points that there are and how many are not tried, and how many schedules were tried, survived, never met what they were to meet, and were
    left when the time was over. `known` of them were not tried, because an earlier search of the same code has. `outcomes` has what was tried, in the order in which it ended.
    `undecided` are those whose faults were met, and whose verdict is unknown. `doubt` says why nothing was explored."""

    points: Sequence[Point] = ()
    not_tried: int = 0
    tried: int = 0
    survived: int = 0
    unreached: int = 0
    undecided: list[tuple[Schedule, Tried]] = field(default_factory=list)
    left: int = 0
    known: int = 0
    findings: list[Finding] = field(default_factory=list)
    outcomes: list[tuple[Schedule, Judgement]] = field(default_factory=list)
    doubt: str = ""

    @property
    def lost(self) -> int:
        """Returns how many of the schedules that were tried lost or spoilt records."""
        return self.tried - self.survived - self.unreached - len(self.undecided)

    @property
    def judgement(self) -> Judgement:
        """Returns a fail where a schedule loses records, unknown where of one nothing could be said, else a pass: as far as was tried."""
        if self.findings:
            return Judgement.FAIL
        return Judgement.UNKNOWN if self.doubt or self.undecided or not (self.survived or self.known) else Judgement.PASS


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes: `depth` faults in a schedule, `workers` runs at a time and twice as many more that mostly wait, no new schedule once it is `over`, `most` schedules where that is given, and with
    `first` no further than to the first one that fails. Where there is `room`, more runs than these begin, one after the other."""

    depth: int = 1
    workers: int = 2
    over: Callable[[], bool] = lambda: False
    most: int | None = None
    first: bool = False
    room: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Known:
    """The names of schedules that an earlier search has tried: what has `survived` in the same code is not tried again, and what was tried in `other` code comes last."""

    survived: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()


class _Agenda:
    """What is to be tried, the most promising first. What is known to survive and leads no further is counted in `found`. Pairs of faults that are like others come after
    those, and so does what meets an operation that other first faults have led to before."""

    def __init__(self, known: Known, found: Explored, depth: int) -> None:
        self.todo: list[Schedule] = []
        self._known = known
        self._found = found
        self._depth = depth
        self._pairs: set[tuple[object, ...]] = set()

    def add(self, schedules: Sequence[Schedule]) -> None:
        for schedule in schedules:
            is_pair = len(schedule.faults) > 1
            signature = schedule.signature
            later = _LAST if is_pair and signature in self._pairs else 0
            if schedule.is_new:
                later += OTHER_PLACE if signature[1:] in self._pairs else 0
                self._pairs.add(signature[1:])
            self._pairs.add(signature)
            # What a schedule has changed is known only once it runs.
            if schedule.name in self._known.survived and len(schedule.faults) >= self._depth:
                self._found.known += 1
            else:
                self.todo.append(replace(schedule, rank=schedule.rank + later))
        self.todo.sort(key=lambda one: (one.name in self._known.other, one.rank))


class _StoppedError(Exception):
    """The search has ended meanwhile."""


def explore(
    run: Run,
    limits: Limits,
    tell: Callable[[str], None],
    known: Known | None = None,
    found: Explored | None = None,
    quick: Run | None = None,
    abandon: Callable[[], None] = lambda: None,
) -> Explored:
    """Runs the scenario without faults, then with schedules of one fault, and of two within the limits. What fails is made smaller, and tried again. `tell` hears what was
    tried. What leads no further is tried by `quick`, which is like `run` but for the records. `abandon` makes what runs end soon, without a verdict. Returns `found`, which has
    also what was tried where the search is broken off."""
    found = found or Explored()
    clean = run(())
    if clean.judgement is Judgement.UNKNOWN:
        found.doubt = f"the run without faults has no verdict: {'; '.join(clean.reasons)}"
        return found
    if clean.judgement is Judgement.FAIL:
        found.findings.append(Finding((), clean, 1, 1))
        return found
    found.points, found.not_tried = clean.points, skipped(clean.points)
    agenda = _Agenda(known or Known(), found, limits.depth)
    agenda.add(of_points(clean.points))
    tell(
        f"{len(found.points)} points, {len(agenda.todo)} schedules of one fault"
        + (f"; {found.known} more known to survive" if found.known else "")
    )
    failed: dict[Group, list[tuple[Schedule, Tried]]] = {}

    def tries(faults: tuple[dict[str, Any], ...]) -> Tried:
        # What a first fault has changed is told by the same records alone.
        return (quick if quick is not None and len(faults) >= limits.depth else run)(faults)

    for schedule, tried in side_by_side(tries, agenda.todo, limits, lambda: limits.first and bool(failed)):
        found.tried += 1
        found.outcomes.append((schedule, tried.judgement))
        tell(f"{found.tried:>4}  {_outcome(tried):<9}  {schedule.name}")
        if tried.judgement is Judgement.FAIL:
            failed.setdefault(_group(schedule, tried), []).append((schedule, tried))
            if limits.first:
                abandon()
        elif tried.judgement is Judgement.UNKNOWN and tried.met:
            found.undecided.append((schedule, tried))
        elif tried.judgement is Judgement.UNKNOWN:
            found.unreached += 1
        else:
            found.survived += 1
            if limits.depth > len(schedule.faults):
                agenda.add(of_changes(schedule, clean.points, tried.points))
    found.left = len(agenda.todo)
    found.findings += _findings(run, list(failed.values()), limits.workers, tell)
    return found


def _findings(
    run: Run, groups: Sequence[Sequence[tuple[Schedule, Tried]]], workers: int, tell: Callable[[str], None]
) -> list[Finding]:
    """Returns the smallest schedule of each group, each once, and how often it fails."""
    stopped = threading.Event()

    def guarded(faults: tuple[dict[str, Any], ...]) -> Tried:
        if stopped.is_set():
            raise _StoppedError
        return run(faults)

    def smallest(group: Sequence[tuple[Schedule, Tried]]) -> tuple[Schedule, Tried]:
        candidates = sorted(group, key=lambda one: (len(one[0].faults), one[0].rank, one[0].name))
        tell(f"      smaller than {candidates[0][0].name}?")
        steady = (one for one in candidates[:_MOST_CANDIDATES] if _fails_again(guarded, one[0].faults, one[1]) is not None)
        return _shrunk(guarded, *next(steady, candidates[0]))

    with ThreadPoolExecutor(workers, thread_name_prefix="shrink") as pool:
        try:
            shrunk: dict[str, tuple[Schedule, Tried, int]] = {}
            for (schedule, tried), group in zip(pool.map(smallest, groups), groups, strict=True):
                had = shrunk[schedule.name][2] + 1 if schedule.name in shrunk else 0
                shrunk[schedule.name] = schedule, tried, had + len(group) - 1
            found = []
            for schedule, tried, alike in shrunk.values():
                tell(f"      how often does {schedule.name} fail?")
                outcomes = list(pool.map(guarded, [schedule.faults] * CONFIRMED))
                fails = sum(one.judgement is Judgement.FAIL for one in outcomes)
                found.append(Finding(schedule.faults, tried, fails, CONFIRMED, alike))
        except BaseException:
            stopped.set()
            raise
    return found


def _fails_again(run: Run, faults: tuple[dict[str, Any], ...], before: Tried) -> Tried | None:
    """Returns what came of the first of several runs with these faults that all fail and have the anomalies from before; None where one does not."""

    def fails_so(one: Tried) -> bool:
        return one.judgement is Judgement.FAIL and anomalies_of(before) <= anomalies_of(one)

    outcomes = list(itertools.takewhile(fails_so, (run(faults) for _ in range(_AGAIN))))
    return outcomes[0] if len(outcomes) == _AGAIN else None


def _group(schedule: Schedule, tried: Tried) -> Group:
    """Returns what findings have in common that one cause explains: the same anomalies, by faults at the same points."""
    points = tuple(
        (fault.get("caller") or fault["function"], fault.get("operation"), fault.get("resource")) for fault in schedule.faults
    )
    return points, anomalies_of(tried)


def anomalies_of(tried: Tried) -> frozenset[str]:
    """Returns the kinds of anomalies of a run."""
    return frozenset(name for name, count in tried.anomalies.items() if count)


def side_by_side(run: Run, todo: list[Schedule], limits: Limits, enough: Callable[[], bool]) -> Iterator[tuple[Schedule, Tried]]:
    """Takes schedules from `todo` while it has any, within the limits and until there is `enough`, and yields what came of each, in the order in which they end. What has
    no verdict once there is enough is left in `todo`."""
    waiting = _WAITING_FOR_EACH_WORKER * limits.workers
    most = _MOST_TIMES * (limits.workers + waiting)
    with ThreadPoolExecutor(most, thread_name_prefix="explore") as pool:
        running: dict[Future[Tried], Schedule] = {}
        begun = 0

        def goes_on() -> bool:
            return bool(todo) and begun != limits.most and not enough() and not limits.over()

        def following() -> int | None:
            """Returns the place of the next one that there is room for."""
            # Which ones are begun is the same on every machine.
            left = todo if limits.most is None else todo[: limits.most - begun]
            waits = sum(one.is_outage for one in running.values())
            has_room = {False: len(running) - waits < limits.workers, True: waits < waiting}
            place = next((place for place, one in enumerate(left) if has_room[one.is_outage]), None)
            return 0 if place is None and left and len(running) < most and limits.room() else place

        try:
            while goes_on() or running:
                while goes_on() and (place := following()) is not None:
                    schedule = todo.pop(place)
                    running[pool.submit(run, schedule.faults)] = schedule
                    begun += 1
                looks_again = LOOKS_EVERY_S if goes_on() else None
                for done in wait(running, looks_again, return_when=FIRST_COMPLETED).done if running else ():
                    schedule, tried = running.pop(done), done.result()
                    if enough() and tried.judgement is Judgement.UNKNOWN:
                        todo.append(schedule)
                    else:
                        yield schedule, tried
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _outcome(tried: Tried) -> str:
    unknown = "unknown" if tried.met else "not met"
    return {Judgement.PASS: "survived", Judgement.FAIL: "LOST", Judgement.UNKNOWN: unknown}[tried.judgement]


def _shrunk(run: Run, schedule: Schedule, tried: Tried) -> tuple[Schedule, Tried]:
    """Returns the schedule in its smallest form that fails again and again, and what came of it. Which call is the first may differ from run to run, where several
    invocations make calls at once."""
    faults = schedule.faults
    tries = 0
    again = True
    while again and tries < _MOST_SMALLER:
        again = False
        for simpler in smaller(faults):
            tries += 1
            if (other := _fails_again(run, simpler, tried)) is not None:
                faults, tried, again = simpler, other, True
                break
            if tries >= _MOST_SMALLER:
                break
    return Schedule(faults, schedule.rank), tried
