"""result.json: the contract with everything that reads a run by program. Documented in docs/run-directory.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.accounting.verdict import Judgement
from harness.documents import read_json
from harness.errors import UsageError

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
            "region": emulator.region,
            "left": list(finished.left),
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


class _Result(BaseModel):
    """What every result has, of any version of pipeproof."""

    model_config = ConfigDict(strict=True)

    scenario: str
    seed: int
    started_at: str
    command: str
    verdict: Annotated[Judgement, Field(strict=False)]
    reasons: list[str]
    ingress: dict[str, int]
    outcome: dict[str, int | None]
    anomalies: dict[str, int | None]
    emulator: dict[str, Any] | None
    faults: list[dict[str, Any]]
    timing: dict[str, Any]


# What older versions did not write.
_SINCE: dict[str, Any] = {
    "causes": [], "permissions": None, "checks": [], "classes": {"exercised": {}, "not_exercised": [], "note": "", "volume": {}}, "examples": {},
}  # fmt: skip


def read_result(run_dir: Path) -> dict[str, Any]:
    """Returns the document that a run has left. Raises UsageError where there is none, or it is another one."""
    path = run_dir / RESULT
    if run_dir.is_dir() and not path.exists():
        raise UsageError(f"{run_dir} is no directory of a run that has ended: it has no {RESULT}")
    found = read_json(path, "result")
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise UsageError(f"{path} is not the result of a run of schema {SCHEMA}")
    try:
        _Result.model_validate(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"{path} is not the result of a run: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return _SINCE | found


def write_result(finished: RunFinished) -> Path:
    """Writes it into the run's directory."""
    path = finished.run_dir / RESULT
    path.write_text(json.dumps(result(finished), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
