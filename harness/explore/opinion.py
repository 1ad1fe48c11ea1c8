"""Whose fault a finding is: it runs again on a second emulator. What fails there too is the pipeline's, or of what both emulators have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.accounting.verdict import Judgement
from harness.errors import UnknownVerdictError, UsageError
from harness.explore.running import running

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.emulator.emulator import Emulator
    from harness.explore.search import Finding
    from harness.run.prove import Record
    from harness.scenario.scenario import Scenario

_RUNS = 3
_PIPELINE, _EMULATOR, _OPEN = "the pipeline's", "the emulator's, as it seems", "not decided"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a finding came to on another `emulator`: how many of its runs failed there, and how many had a verdict. `steady` says whether it fails each time where it was found,
    `doubt` why there is no verdict."""

    emulator: str
    failed: int
    judged: int
    steady: bool
    doubt: str = ""

    @property
    def whose(self) -> str:
        """Returns in words whose fault it is."""
        if self.failed:
            return _PIPELINE
        return _EMULATOR if self.judged == _RUNS and self.steady else _OPEN

    @property
    def text(self) -> str:
        told = (
            f"it fails in {self.failed} of {self.judged} runs on {self.emulator}"
            if self.judged
            else f"no verdict on {self.emulator}"
        )
        return f"{self.whose}: {told}" + (f" ({self.doubt})" if self.doubt else "")


def second_opinions(
    name: str, scenario: Scenario, emulator: Emulator, out: Path, record: Record, tell: Callable[[str], None], findings: Sequence[Finding], *,
    seed: int | None, records: int | None,
) -> list[Finding]:  # fmt: skip
    """Returns the findings with what they came to on the emulator. Where it does not come up, or cannot run the stack, nothing is decided."""
    if not findings:
        return []
    try:
        with running(name, scenario, [emulator], out, record, tell, seed=seed, records=records) as run:
            found = []
            for finding in findings:
                tell(f"      whose fault is {finding.name or 'that'}?")
                outcomes = [run(finding.faults) for _ in range(_RUNS)]
                judged = [one for one in outcomes if one.judgement is not Judgement.UNKNOWN]
                doubt = next(("; ".join(one.reasons) for one in outcomes if one.judgement is Judgement.UNKNOWN), "")
                failed = sum(one.judgement is Judgement.FAIL for one in judged)
                steady = finding.reproduced == finding.runs
                found.append(replace(finding, opinion=Opinion(run.place, failed, len(judged), steady, doubt)))
            return found
    except (UnknownVerdictError, UsageError) as error:
        return [replace(finding, opinion=Opinion("it", 0, 0, steady=False, doubt=str(error))) for finding in findings]
