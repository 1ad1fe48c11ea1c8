"""Spark comes to the account that DuckDB comes to, and the model."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.accounting.contents import broken_promise
from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import ANOMALIES_FILE, OUTCOMES_FILE, reconcile
from tests.model import count
from tests.worlds import ledgers, side_by_side, sightings

# A run of Spark takes seconds, however few records there are: so many worlds share one.
WORLDS, TIMES = 100, 5


class Worlds(list):
    """Told by their number: all of them would fill pages."""

    def __repr__(self):
        return f"{len(self)} worlds"


def account_of(root, pairs, seen, engine):
    """The account, and the rows of the files that are left."""
    with Ledger(root / "ledger.parquet") as ledger:
        for record, answer in pairs:
            ledger.add(record, answer)
    write_observations(root / "observations.parquet", seen)
    account = reconcile(root / "ledger.parquet", root / "observations.parquet", root, engine=engine)
    left = [pq.read_table(root / name).to_pylist() for name in (ANOMALIES_FILE, OUTCOMES_FILE)]
    assert {path.name for path in root.iterdir()} == {"ledger.parquet", "observations.parquet", ANOMALIES_FILE, OUTCOMES_FILE}
    return account, left


@pytest.mark.timeout(1800)
@settings(
    max_examples=TIMES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(worlds=st.lists(st.tuples(ledgers(), sightings()), min_size=WORLDS, max_size=WORLDS).map(Worlds))
def test_five_hundred_ledgers_have_the_account_that_duckdb_and_the_model_come_to(session, worlds):
    pairs, seen = side_by_side(worlds)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        (spark, left_by_spark) = account_of(Path(one), pairs, seen, "spark")
        (duckdb, left_by_duckdb) = account_of(Path(other), pairs, seen, "duckdb")
    assert spark == duckdb
    assert left_by_spark == left_by_duckdb
    # Of each world what the model comes to; phantoms are of no record, and so of no world.
    world_of = [number for number, (records, _) in enumerate(worlds) for _ in records]
    anomalies, outcomes = left_by_spark
    found = Counter((world_of[row["index"]], row["anomaly"]) for row in anomalies if row["index"] is not None)
    ended = Counter((world_of[row["index"]], row["ended"]) for row in outcomes)
    phantoms = 0
    for number, (records, sighted) in enumerate(worlds):
        model = count(records, sighted, broken_promise)
        phantoms += model.anomalies.pop("phantom", 0)
        assert Counter({name: many for (world, name), many in found.items() if world == number}) == +model.anomalies
        model.outcome.pop("recovered", None)
        gone = {name: model.anomalies[name] for name in ("lost", "irrecoverable")}
        assert Counter({name: many for (world, name), many in ended.items() if world == number}) == +(model.outcome + Counter(gone))
    assert spark.anomalies["phantom"] == phantoms
