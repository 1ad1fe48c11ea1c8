"""The account and the verdict of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ANOMALIES = ("lost", "irrecoverable", "duplicated", "phantom", "corrupted", "conflicting", "misrouted")
ALLOWABLE = (*ANOMALIES, "healthy_rejected", "unacknowledged")
"""What a scenario may allow: anomalies, and records that never got in."""

MAX_EXAMPLES = 100


class Judgement(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Example:
    """One record of an anomaly: where it was last seen, and why it counts. `shard` and `sequence` are those of the first hop's answer.

    `hops` are the invocations and calls that carried it, in their order, `last` is the last of those that carried the record itself (or else
    its file), and `log` is what the function logged then."""

    record_id: str
    last_seen: str
    why: str
    shard: str | None = None
    sequence: str | None = None
    hops: tuple[str, ...] = ()
    last: str = ""
    log: str = ""


@dataclass(frozen=True, slots=True)
class Ingress:
    """What the first hop answered, over all offered records."""

    offered: int = 0
    acked: int = 0
    indeterminate: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Where the offered records ended, each counted once; `recovered` counts the stored ones among the indeterminate."""

    stored: int = 0
    dead_lettered: int = 0
    alerted: int = 0
    rejected: int = 0
    filtered: int = 0
    recovered: int = 0
    unacknowledged: int = 0


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Malformed records that were refused for a reason that is not theirs: `why` is what the first hop said to the first of them."""

    count: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Latency:
    """From the offer to the storage, in seconds; None where no probe told a time."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """The accounting of one run. Without `reconciled` only the ingress is known: nothing was observed. A reconciled one refuses to
    exist where its identity does not hold:

    offered = stored + dead_lettered + alerted + rejected + filtered + lost + irrecoverable + unacknowledged"""

    ingress: Ingress = field(default_factory=Ingress)
    outcome: Outcomes = field(default_factory=Outcomes)
    anomalies: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ANOMALIES, 0))
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)
    latency: Latency = field(default_factory=Latency)
    healthy_rejected: int = 0
    rejected_why: str = ""
    """What the first hop said of most of the healthy records that it rejected."""
    healthy_stored: int = 0
    malformed: int = 0
    turned_away: TurnedAway = field(default_factory=TurnedAway)
    reconciled: bool = False

    def __post_init__(self) -> None:
        o = self.outcome
        gone = self.anomalies["lost"] + self.anomalies["irrecoverable"]
        ends = o.stored + o.dead_lettered + o.alerted + o.rejected + o.filtered + gone + o.unacknowledged
        answers = self.ingress.acked + self.ingress.indeterminate + self.ingress.rejected
        if (self.reconciled and ends != self.ingress.offered) or answers != self.ingress.offered:
            message = f"the account does not balance: {self.ingress.offered} offered, {answers} answers, {ends} ends"
            raise AssertionError(message)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Unknown is never a pass: `reasons` says why it is not a pass, and is empty for one."""

    judgement: Judgement
    reasons: tuple[str, ...] = ()


def judge(
    account: Account,
    allowed: Mapping[str, float],
    doubts: tuple[str, ...] = (),
    broken: tuple[str, ...] = (),
    unchecked: tuple[str, ...] = (),
    *,
    shown: bool = False,
) -> Verdict:
    """Returns unknown where there are doubts; else a fail where an anomaly exceeds what the scenario allows, or a check is broken; else unknown where
    something could not be checked; else a pass.

    What would be a pass is a doubt where no healthy record was stored: nothing shows that the way works, unless another run has `shown` that. Then there is also
    nothing that a check could look at."""
    excess = tuple(
        f"{count:,} of {account.ingress.offered:,} records {name}"
        for name, count in account.anomalies.items()
        if count > allowed.get(name, 0)
    )
    excess = (*excess, *broken)
    if not account.ingress.offered:
        doubts = (*doubts, "no record was offered")
    # No loss, as the sender knows; but no proof either: the pipeline was never asked to keep these.
    not_tried = {
        "healthy_rejected": (
            account.healthy_rejected,
            "healthy records were rejected by the first hop" + (f" ({account.rejected_why})" if account.rejected_why else ""),
        ),
        "unacknowledged": (account.outcome.unacknowledged, "records had no answer, and were not seen again"),
    }
    doubts = (*doubts, *(f"{count:,} {what}" for name, (count, what) in not_tried.items() if count > allowed.get(name, 0)))
    if account.turned_away.count:
        doubts = (
            *doubts,
            f"{account.turned_away.count:,} malformed records were refused for a reason that is not theirs ({account.turned_away.why})",
        )
    if account.reconciled and account.ingress.offered and not account.healthy_stored and not excess and not shown:
        what = (
            "every record of the load is malformed"
            if account.malformed == account.ingress.offered
            else "no healthy record was stored"
        )
        doubts = (*doubts, f"{what}: nothing shows that the way through the pipeline works")
    if shown and account.reconciled and not account.healthy_stored:
        unchecked = ()
    if doubts:
        # What was not given its time may look lost: without rest, there is no telling.
        return Verdict(Judgement.UNKNOWN, (*doubts, *excess, *unchecked))
    if excess:
        return Verdict(Judgement.FAIL, (*excess, *unchecked))
    return Verdict(Judgement.UNKNOWN, unchecked) if unchecked else Verdict(Judgement.PASS)
