"""Runs that have ended, as reports get them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Answer, Observation, Outcome, Record, Status
from harness.accounting.verdict import ANOMALIES, Account, Example, Ingress, Judgement, Latency, Outcomes, Verdict
from harness.emulator.emulator import Description
from harness.report.result import write_result
from harness.run.events import RunFinished, Timing
from harness.run.journal import JOURNAL

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


PROMISED = json.dumps({"id": "x", "amount": 5}).encode()


def left_run(directory, records, journal=(), faults=None, judgement=Judgement.FAIL, *, timed=True, shard="shard"):
    """Leaves a run. A record is (status, outcome or None, malformed or None, content or None); returns its account."""
    directory.mkdir(parents=True, exist_ok=True)
    seen = []
    with Ledger(directory / "ledger.parquet") as ledger:
        for number, (status, outcome, malformed, content) in enumerate(records):
            promised = None if malformed else PROMISED
            ledger.add(
                Record(f"id-{number}", b"%d" % number, promised, malformed),
                Answer(status, 1_000 + number * 10, shard, f"{number}"),
            )
            if outcome is not None:
                place = f"s3://made-bucket/{number}"
                seen.append(
                    Observation(outcome, place, f"id-{number}", seen_at_ms=1_500 + number * 20 if timed else None, content=content)
                )
    write_observations(directory / "observations.parquet", seen)
    account = reconcile(directory / "ledger.parquet", directory / "observations.parquet", directory)
    (directory / "plan.json").write_text(json.dumps({"names": {"Bucket": "made-bucket", "Store": "made-store"}}))
    if faults:
        (directory / "faults.json").write_text(json.dumps(faults))
    with pa.CompressedOutputStream(str(directory / JOURNAL), "zstd") as file:
        file.write("".join(json.dumps(entry) + "\n" for entry in journal).encode())
    write_result(finished(account, judgement, () if judgement is Judgement.PASS else ("because",), run_dir=directory))
    return account


STORED = (Status.ACKED, Outcome.STORED, None, PROMISED)
LOST = (Status.ACKED, None, None, None)
