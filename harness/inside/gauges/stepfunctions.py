"""Step Functions: running executions."""

from __future__ import annotations

from harness.inside.gauges.gauge import Level, stores


def gauge(account: str | None) -> Level:
    """Returns {executions: how many run}."""
    running = sum(
        execution.exec_status == "RUNNING"
        for store in stores("localstack.services.stepfunctions.backend.store", "sfn_stores", account)
        for execution in list(store.executions.values())
    )
    return Level(running > 0, entries={"executions": running})
