"""Cases that were wrong once."""

from __future__ import annotations

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Answer, Observation, Outcome, Record, Status, payload_hash


def reconciled(tmp_path, ledger, observations):
    with Ledger(tmp_path / "ledger.parquet") as table:
        for record, answer in ledger:
            table.add(record, answer)
    write_observations(tmp_path / "observations.parquet", observations)
    return reconcile(tmp_path / "ledger.parquet", tmp_path / "observations.parquet", tmp_path)


def test_a_record_without_an_answer_is_found_by_its_payload_though_others_have_the_same(tmp_path):
    """Ten empty records, the replies for two of them lost; all dead-lettered, with sequence numbers that the sender never learnt of two."""
    records = [Record(f"id-{n}", b"", None, "empty") for n in range(10)]
    answers = [Answer(Status.ACKED, 1, "shard", str(n)) if n < 8 else Answer(Status.INDETERMINATE, 1) for n in range(10)]
    seen = [Observation(Outcome.DEAD_LETTERED, "queue", None, "shard", str(n), payload_hash(b"")) for n in range(10)]
    account = reconciled(tmp_path, list(zip(records, answers, strict=True)), seen)
    assert (account.outcome.dead_lettered, account.outcome.unacknowledged) == (10, 0)
    assert not any(account.anomalies.values())


def test_a_dead_letter_and_an_alert_of_one_record_are_one_outcome_and_storage_beside_them_is_another(tmp_path):
    record = Record("id", b"x", None, "bad_json")
    told = [Observation(outcome, "place", "id") for outcome in (Outcome.ALERTED, Outcome.DEAD_LETTERED, Outcome.ALERTED)]
    account = reconciled(tmp_path, [(record, Answer(Status.ACKED, 1, "shard", "1"))], told)
    assert account.outcome.dead_lettered == 1
    assert not any(account.anomalies.values())
    stored = Observation(Outcome.STORED, "place", "id", content=b"{}")
    account = reconciled(tmp_path, [(record, Answer(Status.ACKED, 1, "shard", "1"))], [*told, stored])
    assert account.anomalies["conflicting"] == 1
