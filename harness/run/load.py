"""The load of a run: offered here or by workers, into its ledger."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from harness.accounting.ledger import Ledger
from harness.accounting.ledger_parts import JoinedLedger
from harness.accounting.record import Status
from harness.run import events
from harness.run.coverage import Coverage
from harness.run.offering import offer_here
from harness.run.run_dir import LEDGER
from harness.run.workers import offer_by_workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.parts.ports import Context
    from harness.run.state import Run, State
    from harness.scenario.scenario import Scenario

_REPORT_EVERY_S = 0.2


def load(run: Run, scenario: Scenario, state: State, context: Context) -> Iterator[events.Event]:
    """Offers every record of the load, and notes the answers."""
    ledger = state.ledger = JoinedLedger(run.run_dir / LEDGER, run.workers) if run.workers > 1 else Ledger(run.run_dir / LEDGER)
    coverage = state.coverage = Coverage(run.load)
    began = reported = time.monotonic()
    try:
        if isinstance(ledger, JoinedLedger):
            steps = offer_by_workers(run.load, scenario.send, context, ledger, coverage)
        else:
            steps = offer_here(run.load, scenario.send, context, ledger, coverage)
        with contextlib.closing(steps):
            for _ in steps:
                if time.monotonic() - reported > _REPORT_EVERY_S:
                    reported = time.monotonic()
                    yield _progress(run, ledger, reported - began)
                run.emulator.check()
    finally:
        ledger.close()
    # Only the whole load has this hash: a part of it has another one.
    state.fingerprint = ledger.fingerprint
    yield _progress(run, ledger, time.monotonic() - began)


def _progress(run: Run, ledger: Ledger | JoinedLedger, elapsed_s: float) -> events.LoadProgress:
    counts = ledger.counts
    return events.LoadProgress(
        ledger.offered, counts[Status.ACKED], counts[Status.REJECTED], counts[Status.INDETERMINATE], run.load.total, elapsed_s
    )
