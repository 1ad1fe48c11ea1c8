"""What CloudWatch Logs gets of one invocation: what the function wrote, between the lines of Lambda itself, as text or as JSON.

Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Figures:
    """What REPORT tells: milliseconds and MB. `init_ms` is None where the environment was warm."""

    duration_ms: float
    memory_mb: int
    peak_mb: float
    init_ms: float | None

    @property
    def billed_ms(self) -> int:
        return int(self.duration_ms) + 1


def as_text(request_id: str, version: str, written: list[str], figures: Figures) -> list[str]:
    """Returns the lines of the text format."""
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {figures.duration_ms:.2f} ms\tBilled Duration: {figures.billed_ms} ms\t"
        f"Memory Size: {figures.memory_mb} MB\tMax Memory Used: {math.ceil(figures.peak_mb)} MB\t"
    )
    if figures.init_ms is not None:
        report += f"Init Duration: {figures.init_ms:.2f} ms\t"
    return [f"START RequestId: {request_id} Version: {version}", *written, f"END RequestId: {request_id}", report]


def as_json(request_id: str, version: str, written: list[str], figures: Figures, *, failed: bool) -> list[str]:
    """Returns the lines of the JSON format. The runtime writes the function's own log in it, but not what is printed."""
    metrics: dict[str, Any] = {
        "durationMs": round(figures.duration_ms, 3),
        "billedDurationMs": figures.billed_ms,
        "memorySizeMB": figures.memory_mb,
        "maxMemoryUsedMB": math.ceil(figures.peak_mb),
    }
    if figures.init_ms is not None:
        metrics["initDurationMs"] = round(figures.init_ms, 3)
    start = _event("platform.start", {"requestId": request_id, "version": version})
    report = {"requestId": request_id, "metrics": metrics, "status": "failure" if failed else "success"}
    return [start, *written, _event("platform.report", report)]


def _event(kind: str, record: dict[str, Any]) -> str:
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": time, "type": kind, "record": record})
