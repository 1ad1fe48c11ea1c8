"""What a search has found, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.accounting.verdict import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.explore.schedules import Schedule
    from harness.explore.search import Explored

_MOST_UNDECIDED = 5


def in_words(found: Explored) -> Iterator[str]:
    """Yields what was found and how much was tried, as lines."""
    for number, finding in enumerate(found.findings, 1):
        what = ", ".join(f"{count:,} {name}" for name, count in finding.tried.anomalies.items() if count) or "; ".join(
            finding.tried.reasons
        )
        yield f"{number}. {finding.name or 'without any fault'}: {what}; {finding.reproduced} of {finding.runs} runs"
        if finding.alike:
            yield f"   {finding.alike} more of the schedules at the same place lead to the same"
    for schedule, tried in found.undecided[:_MOST_UNDECIDED]:
        yield f"unknown: {schedule.name}: {'; '.join(tried.reasons)}"
    if len(found.undecided) > _MOST_UNDECIDED:
        yield f"unknown: {len(found.undecided) - _MOST_UNDECIDED:,} more"
    yield from _idempotence(found.outcomes)
    if found.doubt:
        yield found.doubt
    yield (
        f"{len(found.points)} points, of which {found.not_tried} are the load's own; {found.tried} schedules tried: {found.survived} survived, {found.lost} lost or spoilt records, "
        f"{len(found.undecided)} without a verdict, {found.unreached} never met what they were to meet; {found.left} left"
        + (f"; {found.known} more known to survive" if found.known else "")
    )


def kills(outcomes: Sequence[tuple[Schedule, Judgement]]) -> dict[str, dict[int, Judgement]]:
    """Returns for each function, and each call after which an invocation of it was killed, what became of its records once it was repeated."""
    found: dict[str, dict[int, Judgement]] = {}
    for schedule, judgement in outcomes:
        if len(schedule.faults) == 1 and "after_calls" in (fault := schedule.faults[0]):
            found.setdefault(fault["function"], {})[fault["after_calls"]] = judgement
    return {function: dict(sorted(of_function.items())) for function, of_function in sorted(found.items())}


def _idempotence(outcomes: Sequence[tuple[Schedule, Judgement]]) -> Iterator[str]:
    words = {Judgement.PASS: "nothing is lost or doubled", Judgement.FAIL: "LOST", Judgement.UNKNOWN: "not met, or unknown"}
    for function, of_function in kills(outcomes).items():
        told = [(words[judgement], [call for call, one in of_function.items() if one is judgement]) for judgement in words]
        yield f"{function}, killed after a call: " + "; ".join(f"{word} after {_ranges(calls)}" for word, calls in told if calls)


def _ranges(numbers: Sequence[int]) -> str:
    """Returns sorted numbers as in "1-4, 7"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)
