"""Cases that were wrong once."""

from __future__ import annotations

import duckdb
import pytest

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import DISORDER, reconcile
from harness.accounting.record import Answer, Observation, Outcome, Record, Status, item_put, payload_hash
from harness.accounting.tables import TableWriter
from harness.accounting.verdict import MAX_EXAMPLES, Judgement, TurnedAway, judge
from harness.run.lookup import LOOKUP_SCHEMA


def reconciled(tmp_path, ledger, observations, lookup=()):
    with Ledger(tmp_path / "ledger.parquet") as table:
        for record, answer in ledger:
            table.add(record, answer)
    write_observations(tmp_path / "observations.parquet", observations)
    return reconcile(tmp_path / "ledger.parquet", tmp_path / "observations.parquet", tmp_path, lookup=lookup)


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
    told = [
        Observation(outcome, "place", "id", payload_hash=payload_hash(b"x"))
        for outcome in (Outcome.ALERTED, Outcome.DEAD_LETTERED, Outcome.ALERTED)
    ]
    account = reconciled(tmp_path, [(record, Answer(Status.ACKED, 1, "shard", "1"))], told)
    assert account.outcome.dead_lettered == 1
    assert not any(account.anomalies.values())
    stored = Observation(Outcome.STORED, "place", "id", content=b"{}")
    account = reconciled(tmp_path, [(record, Answer(Status.ACKED, 1, "shard", "1"))], [*told, stored])
    assert account.anomalies["conflicting"] == 1


@pytest.mark.parametrize(
    ("rows_in_a_mb", "tried"), [(40_000, ["1MB", "2MB", "320MB"]), (20_000, ["2MB", "320MB"]), (200, ["320MB"]), (1, ["320MB"])]
)
def test_more_records_than_fit_into_the_memory_are_reconciled_with_more_of_it(tmp_path, monkeypatch, rows_in_a_mb, tried):
    limits = []
    connect = duckdb.connect

    def connected(config):
        limits.append(config["memory_limit"])
        return connect(config=config)

    monkeypatch.setattr("harness.accounting.engines.of_duckdb._MEMORY_LIMITS_MB", (1, 2, 320))
    monkeypatch.setattr("harness.accounting.engines.of_duckdb._ROWS_IN_A_MB", rows_in_a_mb)
    monkeypatch.setattr("harness.accounting.engines.of_duckdb.duckdb.connect", connected)
    records = [Record(f"id-{n}", b"x", b"{}") for n in range(20_000)]
    seen = [Observation(Outcome.STORED, "here", record.record_id, content=b"{}") for record in records]
    account = reconciled(tmp_path, [(record, Answer(Status.ACKED, 1)) for record in records], seen)
    assert limits == tried
    assert account.outcome.stored == len(records)


ACKED = Answer(Status.ACKED, 1, "up@v")
FILE = payload_hash(b"head,a,b")


def rows_of_a_file(count=2):
    return [(Record(f"id-{n}", f"row {n}".encode(), b"{}"), ACKED._replace(sequence=str(n), file_hash=FILE)) for n in range(count)]


@pytest.mark.parametrize(
    ("kept", "outcome", "irrecoverable", "corrupted"),
    [
        (payload_hash(b"x"), 1, 0, 0),
        (None, 0, 1, 0),
        (payload_hash(b""), 0, 1, 1),
        (payload_hash(b"another"), 0, 1, 1),
    ],
)
@pytest.mark.parametrize("given_up", [Outcome.DEAD_LETTERED, Outcome.ALERTED])
def test_a_record_is_given_up_safely_only_where_its_bytes_are_kept(tmp_path, given_up, kept, outcome, irrecoverable, corrupted):
    ledger = [(Record("id", b"x", None, "bad_json"), Answer(Status.ACKED, 1))]
    account = reconciled(tmp_path, ledger, [Observation(given_up, "place", "id", payload_hash=kept)])
    assert account.outcome.dead_lettered + account.outcome.alerted == outcome
    assert account.anomalies["irrecoverable"] == irrecoverable
    assert account.anomalies["corrupted"] == corrupted
    assert account.anomalies["lost"] == 0


def test_a_place_that_keeps_no_payload_counts_where_the_scenario_says_so(tmp_path):
    ledger = [(Record("id", b"x", None, "bad_json"), Answer(Status.ACKED, 1))]
    account = reconciled(tmp_path, ledger, [Observation(Outcome.ALERTED, "place", "id", keeps_payload=False)])
    assert account.outcome.alerted == 1
    assert not any(account.anomalies.values())


@pytest.mark.parametrize(("body", "safe"), [(b"head,a,b", True), (b"", False), (b"head,a", False), (None, False)])
def test_a_file_that_is_set_aside_keeps_its_rows_only_with_its_own_bytes(tmp_path, body, safe):
    aside = Observation(Outcome.DEAD_LETTERED, "error/", shard="up@v", payload_hash=None if body is None else payload_hash(body))
    account = reconciled(tmp_path, rows_of_a_file(), [aside])
    assert (account.outcome.dead_lettered, account.anomalies["irrecoverable"]) == ((2, 0) if safe else (0, 2))


def test_a_row_that_is_named_by_its_upload_and_its_bytes_is_that_row_alone(tmp_path):
    row = Observation(Outcome.DEAD_LETTERED, "error/", shard="up@v", payload_hash=payload_hash(b"row 1"))
    account = reconciled(tmp_path, rows_of_a_file(3), [row])
    assert (account.outcome.dead_lettered, account.anomalies["lost"]) == (1, 2)


def test_what_the_load_itself_has_put_is_no_evidence(tmp_path):
    ledger = [(Record("id", b"x", b"{}"), Answer(Status.ACKED, 1, put_at="s3://b/in#1"))]
    own = Observation(Outcome.STORED, "s3://b/in", "id", content=b"{}", put_at="s3://b/in#1")
    account = reconciled(tmp_path, ledger, [own])
    assert (account.outcome.stored, account.anomalies["lost"]) == (0, 1)
    assert account.examples["lost"][0].why == "accepted, and seen only where the load itself had put it"
    account = reconciled(tmp_path, ledger, [own, own._replace(put_at="s3://b/in#2")])
    assert (account.outcome.stored, account.anomalies["lost"]) == (1, 0), "the pipeline has written there"


def test_an_item_of_the_lookup_data_is_no_evidence(tmp_path):
    with TableWriter(tmp_path / "lookup.parquet", LOOKUP_SCHEMA) as table:
        table.add(("table t#1",))
    seen = Observation(Outcome.STORED, "table t", "id", content=b"{}", put_at="table t#1")
    ledger = [(Record("id", b"x", b"{}"), Answer(Status.ACKED, 1))]
    assert reconciled(tmp_path, ledger, [seen], [tmp_path / "lookup.parquet"]).anomalies["lost"] == 1


def test_a_malformed_record_is_rejected_by_its_own_fault_or_turned_away(tmp_path):
    poison = [Record(f"id-{n}", b"x", None, "bad_json") for n in range(3)]
    answers = [
        Answer(Status.REJECTED, 1, detail="HTTP 400: no JSON"),
        *[Answer(Status.REJECTED, 1, detail="HTTP 404: no such route", about_record=False)] * 2,
    ]
    account = reconciled(tmp_path, list(zip(poison, answers, strict=True)), [])
    assert account.outcome.rejected == 3
    assert account.turned_away == TurnedAway(2, "HTTP 404: no such route")


def test_what_most_of_the_healthy_records_were_rejected_with_is_told(tmp_path):
    records = [Record(f"id-{n}", f"{n}".encode(), b"{}") for n in range(3)]
    answers = [Answer(Status.REJECTED, 1, detail=detail) for detail in ("full", "NonExistentQueue", "NonExistentQueue")]
    account = reconciled(tmp_path, list(zip(records, answers, strict=True)), [])
    assert account.rejected_why == "NonExistentQueue"
    assert "3 healthy records were rejected by the first hop (NonExistentQueue)" in judge(account, {}).reasons


def test_a_lost_record_that_is_malformed_says_so(tmp_path):
    account = reconciled(tmp_path, [(Record("id", b"x", None, "bad_json"), Answer(Status.ACKED, 1))], [])
    assert account.examples["lost"][0].why == "accepted, and seen nowhere afterwards; it is malformed (bad_json)"


def test_a_healthy_record_that_is_given_up_says_why(tmp_path):
    ledger = [(Record("id", b"x", b"{}"), Answer(Status.ACKED, 1))]
    seen = Observation(Outcome.DEAD_LETTERED, "queue", "id", payload_hash=payload_hash(b"x"), reason="AccessDenied")
    account = reconciled(tmp_path, ledger, [seen])
    assert account.examples["misrouted"][0].why == "healthy, and not stored but given up: AccessDenied"


def test_a_record_in_the_wrong_place_is_corrupted(tmp_path):
    ledger = [(Record("id", b"x", b"{}"), Answer(Status.ACKED, 1))]
    seen = Observation(Outcome.STORED, "s3://b/hour=09/a", "id", content=b"{}", misplaced="*/hour=08/*")
    account = reconciled(tmp_path, ledger, [seen])
    assert account.anomalies["corrupted"] == 1
    assert account.examples["corrupted"][0].why == "in the wrong place: expected */hour=08/*"


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_of_several_records_with_one_id_those_bytes_are_meant_that_are_there(tmp_path, order):
    ledger = [(Record("x", f"p{n}".encode(), None, "wrong_type"), Answer(Status.ACKED, 1)) for n in (1, 2)]
    seen = [Observation(Outcome.DEAD_LETTERED, "q", "x", payload_hash=payload_hash(f"p{n}".encode())) for n in order]
    account = reconciled(tmp_path, ledger, seen)
    assert account.outcome.dead_lettered == 2
    assert not any(account.anomalies.values())


def test_a_row_whose_id_is_spoilt_is_found_by_its_bytes_within_its_file(tmp_path):
    row = Observation(Outcome.DEAD_LETTERED, "q", "garbage", "up@v", payload_hash=payload_hash(b"row 1"))
    account = reconciled(tmp_path, rows_of_a_file(2), [row])
    assert (account.outcome.dead_lettered, account.anomalies["phantom"]) == (1, 0)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("1E+3", "1000", True), ("-0", "0.0", True), ("1" * 38, "1" * 37 + "2", False), ("1", "1.50", False), ("1.5", "1.50", True)],
)
def test_numbers_of_items_are_compared_by_their_value(a, b, same):
    assert (item_put("t", {"n": {"N": a}}) == item_put("t", {"n": {"N": b}})) is same


def test_of_many_broken_promises_the_first_are_the_examples_with_where_each_was_seen(tmp_path):
    ledger = [(Record(f"id-{n}", b"x%d" % n, b'{"v":1}'), Answer(Status.ACKED, 1, "shard", f"{n:03d}")) for n in range(300)]
    seen = [Observation(Outcome.STORED, f"place {n}", f"id-{n}", content=b'{"v":2}') for n in reversed(range(300))]
    seen.append(Observation(Outcome.STORED, "once more", "id-7", content=b'{"v":3}'))
    account = reconciled(tmp_path, ledger, seen)
    assert account.anomalies["corrupted"] == 300
    examples = account.examples["corrupted"]
    assert [example.record_id for example in examples] == [f"id-{n}" for n in range(MAX_EXAMPLES)]
    assert (examples[7].last_seen, examples[7].why) == ("place 7", "v: promised 1, found 2")


def test_an_upload_that_stands_in_one_place_as_a_whole_is_in_order():
    """All its records have the same position there, in whatever order the join has made them."""
    with duckdb.connect() as db:
        db.execute("CREATE TABLE resolved (index BIGINT, outcome TEXT, place TEXT, position BIGINT, n BIGINT)")
        db.execute(
            "INSERT INTO resolved VALUES (2, 'stored', 'here', 3, 0), (1, 'stored', 'here', 3, 1), (0, 'stored', 'here', 4, 2)"
        )
        assert [index for index, *_ in db.execute(DISORDER).fetchall()] == [0]


DROPPED = Record("id", b"x", None, filtered="amount <= 100")


@pytest.mark.parametrize(
    ("seen", "filtered", "misrouted"),
    [
        ([], 1, 0),
        ([Observation(Outcome.STORED, "place", "id", content=b"{}")], 0, 1),
        ([Observation(Outcome.DEAD_LETTERED, "queue", "id", payload_hash=payload_hash(b"x"))], 0, 1),
        ([Observation(Outcome.ALERTED, "queue", "id", payload_hash=payload_hash(b"x"))], 0, 1),
    ],
)
def test_a_record_that_a_rule_drops_must_be_seen_nowhere(tmp_path, seen, filtered, misrouted):
    account = reconciled(tmp_path, [(DROPPED, Answer(Status.ACKED, 1))], seen)
    assert (account.outcome.filtered, account.anomalies["misrouted"], account.anomalies["lost"]) == (filtered, misrouted, 0)
    if misrouted:
        (example,) = account.examples["misrouted"]
        assert example.why.startswith("to be dropped (amount <= 100), and ")


def test_a_record_that_a_rule_drops_is_not_filtered_where_nobody_knows_whether_it_got_in(tmp_path):
    account = reconciled(tmp_path, [(DROPPED, Answer(Status.INDETERMINATE, 1)), (DROPPED, Answer(Status.REJECTED, 1))], [])
    assert (account.outcome.filtered, account.outcome.unacknowledged, account.outcome.rejected) == (0, 1, 1)
    assert account.healthy_rejected == 1


def test_records_that_a_rule_drops_do_not_show_that_the_way_works(tmp_path):
    account = reconciled(tmp_path, [(DROPPED, Answer(Status.ACKED, 1))], [])
    assert judge(account, {}).judgement is Judgement.UNKNOWN
