"""Schedules of faults to try: each kind at each point, first what has work done again; then a second fault where the first one changed what is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.faults.plan import HARNESS, LOCALSTACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.explore.points import Point

# More than the clients of AWS try: a call that is refused so often is given up.
_ALL_TRIES = 8
# Each schedule kills an invocation after one of its calls, up to this one; those after the first few come later.
_MOST_KILLS = 50
_FIRST_KILLS = 8
# More calls than a run makes: what is asked stays away until the faults end.
_OUTAGE = 1_000_000_000
# The id of the first of two faults, and where the second one meets calls by what the first one has met.
_FIRST = "the-first"
_FOLLOWS = {"after": "behind that", "repeats": "of a repetition"}
# How services say that they deny a call; the others say AccessDeniedException.
_DENIED = {"s3": ("AccessDenied", 403), "sqs": ("AccessDenied", 403), "sns": ("AuthorizationError", 403)}
# What waits for a visibility timeout or for a restart comes after what does not. All points meet a kind at one of their calls before any meets it at another one.
_RANKS = _AGAIN, _PARTIAL, _DENIED_ONCE, _IDEMPOTENCE, _GIVEN_UP, _KILLED, _OUT, _OTHER, _LATE = range(9)
OTHER_PLACE = len(_RANKS)
_MOST_PLACES = 3
# Behind the rank of any single fault.
_BEHIND_SINGLES = OTHER_PLACE * _MOST_PLACES
# Seconds in which what runs beside it ends.
_SLOW_S = 2
_REFUSED = {"throttle", "error"}
_DELAYS = {"latency", "lambda_slow"}
# Asked for what is told to the harness, and not a part of the pipeline.
_NOT_TRIED = frozenset({HARNESS})


def is_outage(faults: Sequence[Mapping[str, Any]]) -> bool:
    """Returns whether one of these faults lasts until the faults end."""
    return any(str(fault.get("calls") or fault["invocations"]).endswith(f"-{_OUTAGE}") for fault in faults)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Faults, as a scenario has them; a schedule with a smaller `rank` is tried sooner. `is_new` says that only the first fault leads to the operation of the second one."""

    faults: tuple[dict[str, Any], ...]
    rank: int
    is_new: bool = False

    @property
    def name(self) -> str:
        """Returns what is done where, in words."""
        return " and ".join(map(_told, self.faults))

    @property
    def is_outage(self) -> bool:
        """Returns whether a run with it mostly waits."""
        return is_outage(self.faults)

    @property
    def at(self) -> list[tuple[str, str, str, str]]:
        """Returns of each fault who calls what of which resource there, and what is done: its kind, or `denied`."""
        return [
            (
                fault.get("caller") or fault["function"],
                f"{fault['service']}.{fault['operation']}" if "operation" in fault else "",
                fault.get("resource") or "",
                "denied" if "code" in fault else fault["kind"],
            )
            for fault in self.faults
        ]

    @property
    def signature(self) -> tuple[object, ...]:
        """Returns what schedules have in common that lead the same way: where their faults are, whether the call is refused, answered in part or done, and for how long."""
        return tuple(
            (
                "refused" if fault["kind"] in _REFUSED else fault["kind"],
                fault.get("caller") or fault["function"],
                fault.get("operation"),
                fault.get("resource"),
                fault.get("after_calls"),
                *(key for key in _FOLLOWS if key in fault),
                # How many calls the first one refuses is seen by what it has changed.
                None if fault is self.faults[0] else _length(fault),
            )
            for fault in self.faults
        )


def _length(fault: dict[str, Any]) -> int:
    first, last = _window(fault)
    return min(last - first + 1, _OUTAGE // 2)


def _told(fault: dict[str, Any]) -> str:
    first, _, last = (fault.get("calls") or fault["invocations"]).partition("-")
    window = f"{first} and all after it" if last == f"{_OUTAGE}" else f"{first}-{last}" if last else first
    if "function" in fault:
        after = f" after call {fault['after_calls']}" if "after_calls" in fault else ""
        return f"{fault['kind']}{after} of {fault['function']}, invocation {window}"
    window += "".join(f" {words}" for key, words in _FOLLOWS.items() if key in fault)
    of = f" of {fault['resource']}" if "resource" in fault else ""
    what = f"{fault['kind']} {fault['code']}" if "code" in fault else fault["kind"]
    return f"{what} of {fault['caller']} → {fault['service']}.{fault['operation']}{of}, call {window}"


def of_points(points: Sequence[Point]) -> list[Schedule]:
    """Returns the schedules of one fault, the most promising first."""
    found = [schedule for point in points if point.count and point.who not in _NOT_TRIED for schedule in _of_point(point)]
    return sorted(found, key=lambda one: one.rank)


def skipped(points: Sequence[Point]) -> int:
    """Returns how many points are not tried: the load's own calls are the harness's, and not the pipeline's."""
    return sum(point.who in _NOT_TRIED for point in points)


def of_changes(first: Schedule, clean: Sequence[Point], after: Sequence[Point]) -> list[Schedule]:
    """Returns the schedules of two faults: the first one, and another at the first calls behind it; where that one led to calls that there were not without it, such as a
    retry, a dead letter or an alert; and to another invocation of a function, whose calls are then those of a retry."""
    before = {(point.who, point.call, point.resource): point.count for point in clean}
    again = {point.who for point in after if not point.call and point.count > before.get((point.who, "", ""), 0)}
    found = []
    for point in after:
        had = before.get((point.who, point.call, point.resource), 0)
        if point.who in _NOT_TRIED or not point.call or not point.count:
            continue
        behind = list(_behind(first.faults[0], point))
        seconds: list[tuple[dict[str, Any], int]] = []
        if point.count > had:
            seconds += _at(point, had + 1)
        elif point.who in again and not any("repeats" in second for second, _ in behind):
            # Which of the calls are those of the retry is not known: the last one is likely, and an outage meets all of them.
            seconds += _at_a_retry(first.faults[0], point)
        # The order: operations that are not called without the fault, behind it; what the invocation calls again, beside single faults at other calls than the first;
        # then the calls of its repetition; then all others. Among equals the kinds of faults come first that find most when they are alone.
        soon, later = 1 + first.rank, OTHER_PLACE + first.rank
        for second, rank in behind:
            beside = later if "after" in second and point.count > had else later + _BEHIND_SINGLES
            found.append(Schedule(_following(first, second), (beside if had else soon) + rank, not had))
        # The first call of a point that has none without the fault is the first one behind it.
        same = [] if had else [_alone(second) for second, _ in behind if not is_outage([second])]
        pairs = (((*first.faults, second), rank) for second, rank in seconds if second not in same)
        beside = later + 2 * _BEHIND_SINGLES if had else soon
        found += [Schedule(pair, beside + rank, not had) for pair, rank in pairs if not _overlap(pair)]
    return sorted(found, key=lambda one: one.rank)


def _at(point: Point, place: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Yields what may meet a point from its call number `place` on, and the rank of each."""
    yield _denied(point, f"{place}"), _DENIED_ONCE
    yield _denied(point, f"{place}-{_OUTAGE}"), _GIVEN_UP
    for kind, rank in _kinds(point):
        if kind in {"reply_lost", "partial"}:
            yield _fault(kind, point, f"{place}"), rank
        if kind != "reply_lost":
            yield _fault(kind, point, f"{place}-{place + _ALL_TRIES - 1}"), rank
        if kind == "partial":
            yield _fault(kind, point, f"{place}-{_OUTAGE}"), rank


def _at_a_retry(first: Mapping[str, Any], point: Point) -> Iterator[tuple[dict[str, Any], int]]:
    """Yields what refuses the last call of a point, and all its calls behind those that the first fault meets."""
    begin = _window(first)[1] + 1 if _is_at(first, point) else 1
    yield _denied(point, f"{point.count}"), _DENIED_ONCE
    if begin < _OUTAGE:
        yield _denied(point, f"{begin}-{_OUTAGE}"), _GIVEN_UP


def _behind(first: Mapping[str, Any], point: Point) -> Iterator[tuple[dict[str, Any], int]]:
    """Yields what may meet the first call of a point behind the first fault: in the invocation that it met, and in one that repeats it; and what refuses all calls of those that do. Throttling is left out: the client tries again, so
    it ends as a refusal does, or has no effect. So are first faults that only delay, and those that take all calls of the point."""
    if first["kind"] in _DELAYS or (is_outage([first]) and _is_at(first, point)):
        return
    for key in point.behind:
        yield {**_denied(point, "1"), key: _FIRST}, _DENIED_ONCE
        if key == "repeats":
            yield {**_denied(point, f"1-{_OUTAGE}"), key: _FIRST}, _GIVEN_UP
        for kind, rank in _kinds(point):
            if rank in {_PARTIAL, _IDEMPOTENCE}:
                yield {**_fault(kind, point, "1"), key: _FIRST}, rank


def _following(first: Schedule, second: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Returns both faults. The first one is answered in part only once: what is sent again then is for the second one."""
    (fault,) = first.faults
    once = {"calls": fault["calls"].partition("-")[0]} if fault["kind"] == "partial" and not first.is_outage else {}
    return {**fault, **once, "id": _FIRST}, second


def _is_at(fault: Mapping[str, Any], point: Point) -> bool:
    return point.address.items() <= fault.items()


def _overlap(faults: Sequence[dict[str, Any]]) -> bool:
    """Returns whether both faults are at the same point and would meet the same call: only one of them does."""
    one, other = ({key: fault.get(key) for key in ("service", "operation", "caller", "resource")} for fault in faults)
    (begin, end), (begin_of_other, end_of_other) = map(_window, faults)
    return one == other and begin <= end_of_other and begin_of_other <= end


def _window(fault: Mapping[str, Any]) -> tuple[int, int]:
    first, _, last = str(fault.get("calls") or fault.get("invocations")).partition("-")
    return int(first), int(last or first)


def _of_point(point: Point) -> Iterator[Schedule]:
    return _of_calls(point) if point.call else _of_invocations(point)


def _of_calls(point: Point) -> Iterator[Schedule]:
    for number, place in enumerate(sorted({1, (point.count + 1) // 2, point.count})):
        later = number * OTHER_PLACE
        yield Schedule((_denied(point, f"{place}"),), _DENIED_ONCE + later)
        for kind, rank in _kinds(point):
            if kind == "reply_lost":
                yield Schedule((_fault(kind, point, f"{place}"),), rank + later)
    for kind, rank in _kinds(point):
        if kind != "reply_lost":
            yield Schedule((_fault(kind, point, f"1-{_ALL_TRIES}"),), rank)
    # What no client tries again drives the pipeline to its last resort before the faults end.
    yield Schedule((_denied(point, f"1-{_OUTAGE}"),), _OUT)
    yield Schedule((_fault("throttle", point, f"1-{_OUTAGE}"),), _LATE)
    if point.is_partial:
        yield Schedule((_fault("partial", point, f"1-{_OUTAGE}"),), _OUT)
    if not point.only_reads:
        # A function may write what it has computed from an item that another invocation changes meanwhile.
        yield Schedule(({**_fault("latency", point, "1"), "seconds": _SLOW_S},), _OTHER)


def _of_invocations(point: Point) -> Iterator[Schedule]:
    # All that an invocation has done is done again.
    yield Schedule((_fault("lambda_error_after", point, "1"),), _AGAIN)
    yield Schedule((_fault("lambda_killed_after", point, "1"),), _KILLED)
    for call in range(1, min(point.calls, _MOST_KILLS) + 1):
        killed = {**_fault("lambda_killed_during", point, "1"), "after_calls": call}
        yield Schedule((killed,), _KILLED if call <= _FIRST_KILLS else _LATE)
    for kind in ("lambda_error_before", "lambda_throttled"):
        yield Schedule((_fault(kind, point, "1"),), _OTHER)
    # Later events overtake this one.
    yield Schedule(({**_fault("lambda_slow", point, "1"), "seconds": _SLOW_S},), _OTHER)


def _denied(point: Point, window: str) -> dict[str, Any]:
    """Returns a fault that no client tries again: one refused call is enough, whichever it is."""
    code, status = _DENIED.get(point.call.partition(".")[0], ("AccessDeniedException", 400))
    return {"kind": "error", **point.address, "calls": window, "code": code, "status": status}


def _kinds(point: Point) -> list[tuple[str, int]]:
    partial = [("partial", _PARTIAL)] if point.is_partial else []
    return [("reply_lost", _LATE if point.only_reads else _IDEMPOTENCE), *partial, ("throttle", _GIVEN_UP), ("error", _OTHER)]


def _fault(kind: str, point: Point, window: str) -> dict[str, Any]:
    # The first entry and each second one after it: also of a batch with one entry.
    return {"kind": kind, **point.address, point.window: window} | ({"entries": "1 mod 2"} if kind == "partial" else {})


def _alone(fault: dict[str, Any]) -> dict[str, Any]:
    """Returns a fault without what binds it to another one."""
    return {key: value for key, value in fault.items() if key not in {"id", *_FOLLOWS}}


def smaller(faults: tuple[dict[str, Any], ...]) -> Iterator[tuple[dict[str, Any], ...]]:
    """Yields what may still lose a record and is simpler: one fault less, or a fault that meets one event in place of several. A second fault that follows what the first one has met
    is simpler than one that meets many calls, and meets the same in each run."""
    if len(faults) > 1:
        yield from (tuple(map(_alone, faults[:place] + faults[place + 1 :])) for place in range(len(faults)))
    for place, fault in enumerate(faults):
        key = "calls" if "calls" in fault else "invocations"
        first, separator, last = str(fault[key]).partition("-")
        if separator:
            begin, end = int(first), int(last)
            is_outage = end >= _OUTAGE
            ends = (begin, begin + _ALL_TRIES - 1) if is_outage else (begin, (begin + end) // 2, end - 1)
            narrower = dict.fromkeys(f"{begin}" if one == begin else f"{begin}-{one}" for one in ends)
            forms = [(*faults[:place], {**fault, key: window}, *faults[place + 1 :]) for window in narrower]
            yield from (*forms[:1], *(_bound(faults) if place else ()), *forms[1:])


def _bound(faults: tuple[dict[str, Any], ...]) -> Iterator[tuple[dict[str, Any], ...]]:
    """Yields forms of a pair whose second fault follows what the first one has met, in place of a number of its calls. Both must be of functions."""
    first, *others = faults
    for second in others:
        if {first.get("caller"), second.get("caller", HARNESS)} & {HARNESS, LOCALSTACK} or any(key in second for key in _FOLLOWS):
            return
        # The client tries again what is throttled, and what fails without a code.
        calls = f"1-{_ALL_TRIES}" if second["kind"] in _REFUSED and "code" not in second else "1"
        for key in _FOLLOWS:
            yield {**first, "id": _FIRST}, {**second, "calls": calls, key: _FIRST}
        if is_outage([second]):
            yield {**first, "id": _FIRST}, {**second, "calls": f"1-{_OUTAGE}", "repeats": _FIRST}
