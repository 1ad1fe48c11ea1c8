"""What `pipeproof prove` says: a line as each case ends, the table of all, and one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from harness.run.prove import CLEAN, FALSE_ALARM, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.run.prove import Proof


def line(proof: Proof) -> str:
    """Returns a case as a line: what it was, how it ended, and why."""
    case = proof.case
    seed = "" if case.seed is None else f" seed {case.seed}"
    name = f"{case.scenario}{seed}" + (f" with {case.defect.name}" if case.defect else "")
    return f"{name}: {proof.outcome}" + ("" if proof.outcome == CLEAN else f" ({proof.why or 'it passed'})")


def table(proofs: Sequence[Proof]) -> Table:
    """Returns a row per case."""
    shown = Table("scenario", "seed", "planted defect", "must lead to", "anomalies", "faults fired", "", box=None)
    for proof in proofs:
        case = proof.case
        defect, must = (case.defect.name, case.defect.leads_to) if case.defect else ("none", "pass")
        seed = "" if case.seed is None else str(case.seed)
        shown.add_row(case.scenario, seed, defect, must, f"{proof.found:,}", f"{proof.faults:,}", proof.outcome)
    return shown


def summary(proofs: Sequence[Proof]) -> str:
    planted = [proof for proof in proofs if proof.case.defect]
    outcomes = [proof.outcome for proof in proofs]
    return (
        f"{sum(proof.good for proof in planted)} of {len(planted)} caught, {outcomes.count(FALSE_ALARM)} false alarms, "
        f"{outcomes.count(UNKNOWN)} runs without a verdict"
    )
