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


def test_an_upload_is_the_same_one_in_its_next_version(tmp_path):
    def made(folder, version, *lines):
        made_run = run(folder, *(("phantom", f"in/a%20b.csv@{version}:{line}") for line in lines))
        shards = [f"in/a%20b.csv@{version}", f"in/a%20b.csv@{version}2", "in/c.csv@x", None]
        pq.write_table(pa.table({"shard": pa.array(shards, pa.string())}), made_run / "ledger.parquet")
        return made_run

    earlier = made(tmp_path / "a", "v1", 3, 4)
    assert compare(earlier, made(tmp_path / "b", "v9", 4, 3)).same
    assert (
        compare(earlier, made(tmp_path / "c", "v9", 4, 5)).text
        == "phantom: 1 not again (in/a%20b.csv:3), 1 only now (in/a%20b.csv:5)"
    )
