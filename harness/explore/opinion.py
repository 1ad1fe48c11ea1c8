"""What causes a finding, the pipeline or the emulator: it runs again on a second emulator, and what fails there too is not caused by one of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.accounting.verdict import Judgement
from harness.errors import UnknownVerdictError, UsageError
from harness.explore.running import running
from harness.explore.search import CONFIRMED, anomalies_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harness.emulator.emulator import Emulator
    from harness.explore.search import Finding, Run, Tried
    from harness.run.prove import Record
    from harness.scenario.scenario import Scenario

_RUNS = 3


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a finding came to on another `emulator`: how many of its runs had the same anomalies there, and how many passed. `steady` says whether it fails each time where it was
    found, `doubt` why a run decides nothing."""

    emulator: str
    failed: int = 0
    passed: int = 0
    steady: bool = False
    doubt: str = ""

    @property
    def cause(self) -> str:
        """Returns in words what causes it."""
        if self.failed:
            return "the pipeline"
        return "the emulator, as it seems" if self.passed == _RUNS and self.steady else "not decided"

    @property
    def text(self) -> str:
        runs = self.failed + self.passed
        told = f"it fails in {self.failed} of {runs} runs on {self.emulator}" if runs else f"no verdict on {self.emulator}"
        return f"{self.cause}: {told}" + (f" ({self.doubt})" if self.doubt else "")


def second_opinions(
    name: str, scenario: Scenario, emulator: Emulator, out: Path, record: Record, tell: Callable[[str], None], findings: Sequence[Finding], *,
    seed: int | None, records: int | None,
) -> Iterator[Opinion]:  # fmt: skip
    """Yields what each finding came to on the emulator. Where that does not come up, or cannot run the scenario without faults, nothing is decided."""
    given = 0
    try:
        with running(name, scenario, [emulator], out, record, tell, seed=seed, records=records) as run:
            try:
                doubt = _doubt_of(run(())) if any(finding.faults for finding in findings) else ""
                for finding in findings:
                    tell(f"what causes {finding.name or 'the loss without any fault'}?")
                    yield Opinion(run.place, doubt=doubt) if doubt and finding.faults else _opinion(run, finding, run.place)
                    given += 1
            finally:
                for run_dir in run.failed:
                    shutil.rmtree(run_dir, ignore_errors=True)
    except (UnknownVerdictError, UsageError) as error:
        for _ in findings[given:]:
            yield Opinion("the second emulator", doubt=str(error))


def _doubt_of(clean: Tried) -> str:
    """Returns why nothing can be said where the run without faults came to this; empty where it passed."""
    return "" if clean.judgement is Judgement.PASS else f"without faults it does not pass there: {'; '.join(clean.reasons)}"


def _opinion(run: Run, finding: Finding, place: str) -> Opinion:
    outcomes = [run(finding.faults) for _ in range(_RUNS)]
    passed = sum(one.judgement is Judgement.PASS for one in outcomes)
    same = [one.judgement is Judgement.FAIL and anomalies_of(finding.tried) <= anomalies_of(one) for one in outcomes]
    others = (
        "; ".join(one.reasons)
        for one, is_same in zip(outcomes, same, strict=True)
        if not is_same and one.judgement is not Judgement.PASS
    )
    is_steady = finding.reproduced == finding.runs >= CONFIRMED
    return Opinion(place, sum(same), passed, is_steady, next(others, ""))
