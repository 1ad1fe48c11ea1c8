"""Whether a replay has repeated its run."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from harness.run.reproduced import compare


def run(folder, *anomalies):
    folder.mkdir()
    names, ids = zip(*anomalies, strict=True) if anomalies else ((), ())
    table = pa.table({"anomaly": pa.array(names, pa.string()), "record_id": pa.array(ids, pa.string())})
    pq.write_table(table, folder / "anomalies.parquet")
    return folder


def test_the_same_anomalies_of_the_same_records_are_a_reproduction(tmp_path):
    earlier = run(tmp_path / "a", ("lost", "1"), ("lost", "2"), ("phantom", "x"))
    found = compare(earlier, run(tmp_path / "b", ("phantom", "x"), ("lost", "2"), ("lost", "1")))
    assert found.same
    assert found.text == "the same 3 anomalies, of the same records"
    assert compare(run(tmp_path / "c"), run(tmp_path / "d")).text == "no anomaly, as before"


def test_what_differs_is_named(tmp_path):
    earlier = run(tmp_path / "a", ("lost", "1"), ("lost", "2"), ("duplicated", "3"))
    found = compare(earlier, run(tmp_path / "b", ("lost", "2"), ("lost", "4"), ("duplicated", "3"), ("duplicated", "3")))
    assert not found.same
    assert found.text == "duplicated: 1 only now (3); lost: 1 not again (1), 1 only now (4)"


def test_a_run_that_was_not_reconciled_cannot_be_compared(tmp_path):
    (tmp_path / "b").mkdir()
    assert compare(run(tmp_path / "a"), tmp_path / "b") is None
