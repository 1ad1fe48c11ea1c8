"""Why things failed: counted by what they say, apart from what the fault plan explains."""

from __future__ import annotations

import base64
import json

import pyarrow as pa
import pytest

from harness.accounting.ledger import Ledger
from harness.accounting.record import Answer, Record, Status
from harness.run.causes import causes
from harness.run.journal import JOURNAL


def invocation(id, error, carried="{}", name="stack-store-1"):  # noqa: A002
    return {"kind": "invocation", "at_ms": 1, "id": id, "name": name, "error": error, "took_ms": 1, "log": "", "carried": carried}


def call(id, within, *, status=200, error=None):  # noqa: A002
    of = {"kind": "call", "at_ms": 1, "id": id, "name": "stack-store-1", "invocation": within, "call": "s3.PutObject"}
    return {**of, "status": status, "error": error, "put": "b/k", "carried": "{}"}


@pytest.fixture
def found(tmp_path):
    def look(*entries, met=(), ids=("id-17", "part 1/orders.csv/9")):
        with pa.CompressedOutputStream(str(tmp_path / JOURNAL), "zstd") as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in entries).encode())
        with Ledger(tmp_path / "ledger.parquet") as ledger:
            for record_id in ids:
                ledger.add(Record(record_id, b"x", b"x"), Answer(Status.ACKED, 1))
        names = {"stack-store-1": "Store", "arn:machine-1": "Machine"}
        return [
            (cause.who, cause.error, cause.count, cause.planned, cause.record)
            for cause in causes(tmp_path, dict.fromkeys(met), names)
        ]

    return look


def test_what_differs_by_ids_numbers_and_quotes_alone_is_one_cause_and_the_most_frequent_comes_first(found):
    errors = [
        "KeyError: 'a'",
        "ValueError: row 7 of 0bd2f1aa-7c1e-4c1e-9a6e-1f1f1f1f1f1f",
        "ValueError: row 8 of 0xdeadbeef01",
        "KeyError: 'b'",
        "KeyError: 'c'",
    ]
    entries = [invocation(f"i{n}", error) for n, error in enumerate(errors)]
    assert found(*entries, invocation("well", None)) == [
        ("Store", "KeyError: 'a'", 3, 0, None),
        ("Store", "ValueError: row 7 of 0bd2f1aa-7c1e-4c1e-9a6e-1f1f1f1f1f1f", 2, 0, None),
    ]


def test_a_document_in_a_message_makes_no_other_cause(found):
    errors = [f"E: not found in the input '{json.dumps({'name': name})}'" for name in ("Ann", "Sinéad O'Neill", "{")]
    assert [cause[2] for cause in found(*(invocation(f"i{n}", error) for n, error in enumerate(errors)))] == [3]


def test_the_first_record_is_found_in_what_was_carried(found):
    event = json.dumps({"Records": [{"kinesis": {"data": base64.b64encode(b'{"eventId": "id-17"}').decode()}}]})
    assert [cause[-1] for cause in found(invocation("i", "E: x", event))] == ["id-17"]
    other = json.dumps({"rows": ["9"], "key": "orders.csv"})
    assert [cause[-1] for cause in found(invocation("i", "E: x", other), ids=("orders.csv/8", "orders.csv/9"))] == ["orders.csv/9"]
    assert [cause[-1] for cause in found(invocation("i", "E: x", '{"id": "id-170"}'))] == [None]


def test_what_a_planned_fault_explains_is_counted_apart(found):
    """A fault meets the invocation, or a call that it makes, also one without an answer."""
    entries = [
        call("c1", "i1", status=503, error="SlowDown"), invocation("i1", "E: x"),
        call("c2", "i2", status=0), invocation("i2", "E: x"),
        call("c3", "i3", status=404, error="NoSuchKey"), invocation("i3", "E: x"),
        invocation("i4", "E: x"),
    ]  # fmt: skip
    assert found(*entries, met=("c1", "c2", "i4")) == [("Store", "E: x", 4, 3, None)]


def test_executions_that_have_failed_are_told_by_their_state(found):
    failed = {
        "kind": "execution",
        "at_ms": 1,
        "id": "arn:e",
        "name": "arn:machine-1 at Load",
        "error": "States.Timeout",
        "carried": '{"id": "id-17"}',
    }
    assert found(failed) == [("Machine at Load", "States.Timeout", 1, 0, "id-17")]


def test_a_state_that_failed_is_no_further_cause(found):
    """Its function tells of it."""
    state = {
        "kind": "state",
        "at_ms": 1,
        "id": "arn:e",
        "name": "arn:machine-1 at Load",
        "error": "E",
        "next": None,
        "carried": "{}",
    }
    assert [who for who, *_ in found(invocation("i-1", "E"), state)] == ["Store"]


def test_a_text_that_looks_like_the_end_of_another_hides_no_error(found):
    assert [cause[1] for cause in found(invocation("i", "E: x", '{"error": null}'))] == ["E: x"]


def test_a_run_without_a_journal_has_no_causes(tmp_path):
    assert causes(tmp_path, {}, {}) == ()
