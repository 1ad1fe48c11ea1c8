"""result.json: the contract with everything that reads a run by program. Documented in docs/run-directory.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from harness.run.events import RunFinished

SCHEMA = 1
RESULT = "result.json"


def result(finished: RunFinished) -> dict[str, Any]:
    """Returns the document. Counts are null, never 0, where the run ended before it was reconciled."""
    account = finished.account
    outcome: dict[str, int | None] = asdict(account.outcome)
    anomalies: dict[str, int | None] = dict(account.anomalies)
    if not account.reconciled:
        outcome, anomalies = dict.fromkeys(outcome), dict.fromkeys(anomalies)
    emulator = finished.emulator
    return {
        "schema": SCHEMA,
        "scenario": finished.scenario,
        "seed": finished.seed,
        "started_at": finished.started_at,
        "command": finished.command,
        "payload_sha256": finished.payload_sha256,
        "emulator": None
        if emulator is None
        else {
            "kind": emulator.kind,
            "name": emulator.name,
            "version": emulator.version,
            "endpoint": emulator.endpoint,
            "runtimes": dict(finished.runtimes),
            "ignored": list(finished.ignored),
        },
        "verdict": finished.verdict.judgement,
        "reasons": list(finished.verdict.reasons),
        "ingress": asdict(account.ingress),
        "outcome": outcome,
        "anomalies": anomalies,
        "examples": {name: [asdict(example) for example in found] for name, found in account.examples.items()},
        "faults": [dict(fault) for fault in finished.faults],
        "causes": [asdict(cause) for cause in finished.causes],
        "permissions": None if finished.permissions is None else asdict(finished.permissions),
        "classes": asdict(finished.classes),
        "checks": [asdict(check) for check in finished.checks],
        "timing": {**asdict(finished.timing), "latency_s": asdict(account.latency)},
    }


def write_result(finished: RunFinished) -> Path:
    """Writes it into the run's directory."""
    path = finished.run_dir / RESULT
    path.write_text(json.dumps(result(finished), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
