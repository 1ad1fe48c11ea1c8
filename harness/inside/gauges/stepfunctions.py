"""Step Functions: running executions."""

from __future__ import annotations

from harness.inside.gauges.gauge import Level
from harness.inside.kept import EXECUTIONS


def gauge(account: str | None) -> Level:
    """Returns {executions: how many run}."""
    running = sum(
        execution.exec_status == "RUNNING"
        for _, _, store in EXECUTIONS.stores(account)
        for execution in list(store.executions.values())
    )
    return Level(running > 0, entries={"executions": running})
