"""The reconciler against a plain-Python model, on small worlds in which everything that can go wrong does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.accounting.contents import broken_promise
from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Answer, Observation, Outcome, Record, Status, payload_hash
from harness.accounting.verdict import ANOMALIES
from tests.model import count
from tests.worlds import ledgers, sightings


def accounted(pairs, observations):
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        with Ledger(root / "ledger.parquet") as ledger:
            for record, answer in pairs:
                ledger.add(record, answer)
        write_observations(root / "observations.parquet", observations)
        return reconcile(root / "ledger.parquet", root / "observations.parquet", root)


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(ledgers(), sightings())
def test_the_reconciler_counts_as_the_model_does(pairs, observations):
    account = accounted(pairs, observations)
    model = count(pairs, observations, broken_promise)
    assert {name: account.anomalies[name] for name in ANOMALIES} == {name: model.anomalies[name] for name in ANOMALIES}
    for name in ("stored", "dead_lettered", "alerted", "rejected", "filtered", "recovered", "unacknowledged"):
        assert getattr(account.outcome, name) == model.outcome[name], name


def test_what_names_an_upload_alone_breaks_the_promise_of_its_record_and_of_no_other():
    promised = [b'{"v":1}', b'{"v":2}']
    pairs = [(Record(f"r{n}", one, one, None), Answer(Status.ACKED, 1000, "upload", str(n))) for n, one in enumerate(promised)]
    seen = [Observation(Outcome.STORED, "here", shard="upload", content=b'{"v":2}')]
    account = accounted(pairs, seen)
    assert account.anomalies["corrupted"] == count(pairs, seen, broken_promise).anomalies["corrupted"] == 1
    assert [example.record_id for example in account.examples["corrupted"]] == ["r0"]


def test_what_names_an_upload_alone_by_bytes_that_are_those_of_one_of_its_records_spoils_the_others():
    one, other = payload_hash(b"one"), payload_hash(b"other")
    pairs = [
        (Record("r0", b"p1", b"{}", None), Answer(Status.ACKED, 1000, "upload", "0", file_hash=one)),
        (Record("r1", b"p1", b"{}", None), Answer(Status.ACKED, 1000, "upload", "1", file_hash=other)),
    ]
    seen = [Observation(Outcome.DEAD_LETTERED, "here", shard="upload", payload_hash=one)]
    account = accounted(pairs, seen)
    assert account.anomalies["corrupted"] == count(pairs, seen, broken_promise).anomalies["corrupted"] == 1
    assert [example.record_id for example in account.examples["corrupted"]] == ["r1"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(2, 4), st.data())
def test_of_rivals_any_one_may_be_stored_and_each_that_is_gone_is_one_lost(many, data):
    """However a probe names them: by their places in the uploads, or by the id that they share."""
    known = data.draw(st.booleans(), "places known")
    winner = data.draw(st.integers(0, many - 1), "winner")
    pairs = [
        (Record("id", b"row", b'{"v":1}', rival="a"), Answer(Status.ACKED, 1000, f"up{number}", "2")) for number in range(many)
    ]
    seen = []
    for number in range(many):
        place = {"shard": f"up{number}", "sequence": "2"} if known or number == data.draw(st.integers(0, many), "exact") else {}
        seen.append(
            Observation(Outcome.STORED, "table", "id", content=b'{"v":1}', **place)
            if number == winner
            else Observation(Outcome.DEAD_LETTERED, "queue", "id", payload_hash=payload_hash(b"row"), **place)
        )
    account = accounted(pairs, seen)
    assert not any(account.anomalies.values())
    assert (account.outcome.stored, account.outcome.dead_lettered) == (1, many - 1)
    gone = data.draw(st.integers(0, many - 1), "gone")
    account = accounted(pairs, seen[:gone] + seen[gone + 1 :])
    assert account.anomalies["lost"] == 1
    # Where none is stored the first of all was to be, and was not where it is one that was given up.
    assert account.anomalies["misrouted"] <= (gone == winner)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(ledgers(), sightings())
def test_every_offered_record_is_counted_exactly_once(pairs, observations):
    account = accounted(pairs, observations)
    o = account.outcome
    assert account.ingress.offered == len(pairs)
    gone = account.anomalies["lost"] + account.anomalies["irrecoverable"]
    ends = o.stored + o.dead_lettered + o.alerted + o.rejected + o.filtered + o.unacknowledged + gone
    assert ends == account.ingress.offered


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 40), st.data())
def test_a_perfect_run_has_no_anomaly_and_each_record_taken_away_is_one_lost(many, data):
    pairs, observations = [], []
    for number in range(many):
        record = Record(f"id-{number}", b"same", b'{"v":1}')
        pairs.append((record, Answer(Status.ACKED, 1000)))
        observations.append(Observation(Outcome.STORED, "here", record.record_id, seen_at_ms=2000, content=b'{"v":1}'))
    assert not any(accounted(pairs, observations).anomalies.values())
    gone = data.draw(st.sets(st.integers(0, many - 1)))
    left = [o for number, o in enumerate(observations) if number not in gone]
    account = accounted(pairs, left)
    assert dict(account.anomalies) == {name: len(gone) if name == "lost" else 0 for name in ANOMALIES}
    assert {e.record_id for e in account.examples.get("lost", ())} == {f"id-{n}" for n in gone}


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(-500, 5000), min_size=1, max_size=40))
def test_latencies_are_continuous_percentiles(ms):
    pairs = [(Record(f"r{n}", b"x", b"{}"), Answer(Status.ACKED, 1000)) for n in range(len(ms))]
    seen = [Observation(Outcome.STORED, "here", f"r{n}", seen_at_ms=1000 + late, content=b"{}") for n, late in enumerate(ms)]
    found = accounted(pairs, seen).latency
    with duckdb.connect() as db:
        parts = [0.5, 0.95, 0.99, 1]
        [(expected,)] = db.execute("SELECT quantile_cont(ms, ?) FROM (SELECT unnest(?) AS ms)", [parts, ms]).fetchall()
    assert [found.p50, found.p95, found.p99, found.max] == pytest.approx([value / 1000 for value in expected], abs=0.00051)
