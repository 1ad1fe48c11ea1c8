"""The account of a run is made anew, and compared with what the run has told."""

from __future__ import annotations

import json
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import ANOMALIES_FILE, OUTCOMES_FILE
from harness.accounting.record import Answer, Observation, Outcome, Record, Status
from harness.errors import UsageError
from harness.run.recount import recount

RECORDS = [Record(f"r{n}", b"x", b"{}") for n in range(4)]
SEEN = [Observation(Outcome.STORED, "here", f"r{n}", content=b"{}") for n in range(3)]


@pytest.fixture
def run_dir(tmp_path):
    with Ledger(tmp_path / "ledger.parquet") as ledger:
        for record in RECORDS:
            ledger.add(record, Answer(Status.ACKED, 1))
    write_observations(tmp_path / "observations.parquet", SEEN)
    return tmp_path


def tell(run_dir, **parts):
    (run_dir / "result.json").write_text(json.dumps(parts))


def test_the_account_is_that_of_the_run_or_another(run_dir):
    found = recount(run_dir, "duckdb")
    assert (found.account.outcome.stored, found.account.anomalies["lost"], found.is_new) == (3, 1, True)
    account = asdict(found.account)
    told = {part: account[part] for part in ("ingress", "outcome", "anomalies")}
    tell(run_dir, **told)
    assert recount(run_dir, "duckdb").differences == ()
    tell(run_dir, **told | {"outcome": {**told["outcome"], "stored": 4}, "anomalies": {**told["anomalies"], "lost": 0}})
    assert recount(run_dir, "duckdb").differences == ("stored: 4 in result.json, 3 now", "lost: 0 in result.json, 1 now")
    assert pq.read_table(run_dir / ANOMALIES_FILE)["record_id"].to_pylist() == ["r3"]


@pytest.mark.parametrize("told", [{}, {"anomalies": {"lost": None}}, {"anomalies": None}, {"schema": 2}])
def test_a_run_without_an_account_has_nothing_to_compare_with(run_dir, told):
    tell(run_dir, **{"ingress": {"offered": 4}, "outcome": {"stored": 3}} | told)
    found = recount(run_dir, "duckdb")
    assert (found.is_new, found.differences) == (True, ())


def test_what_cannot_be_reconciled_is_named_and_nothing_is_written(run_dir, tmp_path):
    whole = (run_dir / "observations.parquet").read_bytes()
    (run_dir / "observations.parquet").write_bytes(whole[:-9])
    with pytest.raises(UsageError, match="cannot be read"):
        recount(run_dir, "duckdb")
    pq.write_table(pq.read_table(run_dir / "ledger.parquet").drop(["rival"]), run_dir / "ledger.parquet")
    with pytest.raises(UsageError, match="has no column rival"):
        recount(run_dir, "duckdb")
    (run_dir / "observations.parquet").unlink()
    with pytest.raises(UsageError, match=r"has no observations\.parquet"):
        recount(run_dir, "duckdb")
    with pytest.raises(UsageError, match="is no directory of a run"):
        recount(tmp_path / "other", "duckdb")
    assert not {ANOMALIES_FILE, OUTCOMES_FILE} & {path.name for path in run_dir.iterdir()}


def test_a_part_of_what_was_seen_is_no_table(tmp_path):
    """The rest would look lost."""

    def cut_off():
        yield from SEEN
        raise ConnectionError

    with pytest.raises(ConnectionError):
        write_observations(tmp_path / "observations.parquet", cut_off())
    assert list(tmp_path.iterdir()) == []
