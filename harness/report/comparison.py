"""`pipeproof compare`: what is worse in one run than in another of the same scenario, by their result.json."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from harness.accounting.verdict import Judgement
from harness.errors import UsageError
from harness.report.result import read_result
from harness.run.run_dir import readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ORDER = (Judgement.PASS, Judgement.UNKNOWN, Judgement.FAIL)
# Shorter than that, a difference says more about the machine.
_LEAST_S = 0.2
_GIVEN_UP = {"dead_lettered", "alerted", "rejected", "filtered", "unacknowledged"}
_HOLDS = {True: "holds", False: "does not hold", None: "-"}


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of both runs; `worse` says why the second is a regression, and is empty where it is none."""

    name: str
    before: str
    after: str
    worse: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures, and what makes them hard to compare."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    is_unknown: bool = False
    """Whether the second run has no verdict."""

    @property
    def exit_code(self) -> int:
        """Returns 1 on a regression, else 2 where the second run has no verdict, else 0."""
        return 1 if self.regressions else 2 if self.is_unknown else 0

    @property
    def regressions(self) -> list[Line]:
        return [line for line in self.lines if line.worse]


def compare(before: Path, after: Path, threshold: float) -> Comparison:
    """Compares two runs by their directories. A time may grow, and a rate fall, by the share `threshold`.

    Raises UsageError where one has no result, or they are of different scenarios."""
    one, other = read_result(before), read_result(after)
    with readable(before), readable(after):
        if one["scenario"] != other["scenario"]:
            told = f"{before} is a run of {one['scenario']}, {after} one of {other['scenario']}"
            raise UsageError(f"{told}: only runs of one scenario are compared")
        same = one["payload_sha256"] == other["payload_sha256"]
        alike = one["verdict"] == other["verdict"] and _fired(one) == _fired(other)
        lines = (
            *_judged(one, other), *_counted(one, other, same_bytes=same), *_checked(one, other), *_measured(one, other, threshold if alike else math.inf),
            *_covered(one, other),
        )  # fmt: skip
        is_unknown = other["verdict"] == Judgement.UNKNOWN
    notes = []
    if not alike:
        notes.append("times and rates are not judged: the verdicts or the faults that fired differ, and a retry waits")
    if not same:
        notes.append("the two runs offered other bytes: another seed, another number of records, or a generator that has changed")
    return Comparison(lines, tuple(notes), is_unknown)


def _fired(run: dict[str, Any]) -> dict[str, int]:
    return {fault["id"]: fault["fired"] for fault in run["faults"] if fault["fired"]}


def _judged(one: dict[str, Any], other: dict[str, Any]) -> Iterator[Line]:
    before, after = Judgement(one["verdict"]), Judgement(other["verdict"])
    yield Line("verdict", before, after, "the verdict is worse" if _ORDER.index(after) > _ORDER.index(before) else "")


def _counted(one: dict[str, Any], other: dict[str, Any], *, same_bytes: bool) -> Iterator[Line]:
    yield Line("offered", _count(one["ingress"]["offered"]), _count(other["ingress"]["offered"]))
    for name in one["outcome"] | other["outcome"]:
        before, after = one["outcome"].get(name), other["outcome"].get(name)
        # Of other bytes other numbers end there.
        comparable = same_bytes and before is not None and after is not None
        moved = "fewer than before" if name == "stored" and comparable and after < before else ""
        moved = "more than before" if name in _GIVEN_UP and comparable and after > before else moved
        yield Line(name, _count(before), _count(after), moved)
    for name in one["anomalies"]:
        before, after = one["anomalies"][name], other["anomalies"].get(name)
        if after is None and before is not None:
            yield Line(name, _count(before), _count(after), "no longer known")
        else:
            yield Line(name, _count(before), _count(after), "more than before" if (after or 0) > (before or 0) else "")


def _checked(one: dict[str, Any], other: dict[str, Any]) -> Iterator[Line]:
    held, holds = ({check["check"]: check["holds"] for check in run["checks"]} for run in (one, other))
    for name in held | holds:
        before, after = (_HOLDS[checks.get(name)] for checks in (held, holds))
        worse = "does not hold" if holds.get(name) is False and held.get(name) is not False else ""
        worse = "no longer checked" if name not in holds else worse
        yield Line(f"check: {name}", before, after, worse)


def _measured(one: dict[str, Any], other: dict[str, Any], threshold: float) -> Iterator[Line]:
    of_one, of_other = one["timing"], other["timing"]
    for name in ("p50", "p95", "p99", "max"):
        yield _time(f"latency {name}", of_one["latency_s"][name], of_other["latency_s"][name], threshold)
    for name in ("deploy_s", "load_s", "drain_s"):
        yield _time(name.removesuffix("_s"), of_one[name], of_other[name], threshold)
    before, after = float(of_one["records_per_s"]), float(of_other["records_per_s"])
    slower = bool(before) and after * (1 + threshold) < before
    yield Line("records/s", f"{before:,.0f}", f"{after:,.0f}", f"{1 - after / before:.0%} fewer" if slower else "")


def _time(name: str, before: float | None, after: float | None, threshold: float) -> Line:
    if before is None or after is None:
        return Line(name, _seconds(before), _seconds(after), "no longer known" if after is None and before is not None else "")
    grown = after > before * (1 + threshold) and after - before > _LEAST_S
    return Line(
        name,
        _seconds(before),
        _seconds(after),
        f"{after / before - 1:.0%} longer" if grown and before else "longer" if grown else "",
    )


def _covered(one: dict[str, Any], other: dict[str, Any]) -> Iterator[Line]:
    before, after = set(one["classes"]["exercised"]), set(other["classes"]["exercised"])
    gone = sorted(before - after)
    yield Line("classes exercised", _count(len(before)), _count(len(after)), f"no longer: {', '.join(gone[:3])}" if gone else "")
    fired = [{fault["id"] for fault in run["faults"] if fault["fired"]} for run in (one, other)]
    silent = sorted(fired[0] - fired[1])
    yield Line(
        "faults fired", _count(len(fired[0])), _count(len(fired[1])), f"no longer: {', '.join(silent[:3])}" if silent else ""
    )


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def table(found: Comparison) -> Table:
    """Returns the figures as a table; those that are worse say why."""
    shown = Table("figure", "before", "after", "", box=None)
    for column in shown.columns[1:3]:
        column.justify = "right"
    for line in found.lines:
        cells = (Text(text) for text in (line.name, line.before, line.after, line.worse))
        shown.add_row(*cells, style="bold red" if line.worse else None)
    return shown
