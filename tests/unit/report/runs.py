"""Runs that have ended, as reports get them."""

from __future__ import annotations

from pathlib import Path

from harness.accounting.verdict import ANOMALIES, Account, Example, Ingress, Judgement, Latency, Outcomes, Verdict
from harness.emulator.emulator import Description
from harness.run.events import RunFinished, Timing

EMULATOR = Description("embedded", "localstack", "4.9.2", "http://127.0.0.1:4566", "python3.11")


def lost(number=7, offered=10, **latency):
    """Returns an account in which that many records are lost."""
    examples = {"lost": tuple(Example(f"id-[{n}]", f"shard:{n}", "accepted, and seen nowhere") for n in range(number))}
    anomalies = dict.fromkeys(ANOMALIES, 0) | {"lost": number}
    return Account(
        Ingress(offered, offered), Outcomes(stored=offered - number), anomalies, examples if number else {},
        Latency(**{"p50": 1.0, "p95": 2.0, "p99": 3.0, "max": 4.0} | latency), reconciled=True,
    )  # fmt: skip


def finished(account, judgement=Judgement.PASS, reasons=(), **more):
    """Returns the end of a run."""
    given = {"timing": Timing(0.6, 4.5, 0.9, 1.2, 8.8, 4626.4), "run_dir": Path("runs/x"), "payload_sha256": "ab" * 32} | more
    return RunFinished(
        scenario="orders", seed=1, started_at="2026-01-31T08:00:00Z", command="pipeproof run orders --seed 1", emulator=EMULATOR,
        verdict=Verdict(judgement, reasons), account=account, **given,
    )  # fmt: skip
