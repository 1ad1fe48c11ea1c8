"""What faults bring about in a pipeline that works is no finding of a search; what it does by itself is one."""

from __future__ import annotations

import base64
import json

import pyarrow as pa
import pytest

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Answer, Observation, Outcome, Record, Status
from harness.explore.judging import found_among_told, under_faults
from harness.run.journal import JOURNAL
from harness.scenario.catalogue import scenario_files
from harness.scenario.loading import load_scenario

FAILED = {"kind": "invocation", "error": "E: later", "took_ms": 5}
SUCCEEDED = {"kind": "invocation", "error": None, "took_ms": 5}
REFUSED = {
    "kind": "call",
    "error": "SlowDown",
    "call": "s3.PutObject",
    "status": 503,
    "invocation": "i-0",
    "put": None,
    "keys": None,
}
ENDED = {"kind": "execution", "error": "E: given up"}


@pytest.fixture
def found(tmp_path):
    """What is found in a run of one record, which was stored and is named by an alert."""

    def of(*journal, status=Status.ACKED, shard=None):
        with Ledger(tmp_path / "ledger.parquet") as ledger:
            ledger.add(Record("id-17", b"x", None), Answer(status, 500, shard, shard and "1", detail="taken"))
        seen = [Observation(outcome, "there", "id-17") for outcome in (Outcome.STORED, Outcome.ALERTED)]
        write_observations(tmp_path / "observations.parquet", seen)
        account = reconcile(tmp_path / "ledger.parquet", tmp_path / "observations.parquet", tmp_path)
        assert account.anomalies["conflicting"] == 1
        with pa.CompressedOutputStream(str(tmp_path / JOURNAL), "zstd") as file:
            for number, entry in enumerate(map(dict, journal)):
                ids = {"at_ms": 1000 + number, "id": f"i-{number}", "name": "Store", "log": ""}
                contents = {"carried": entry.pop("carried", "id-17"), "answer": entry.pop("answer", "")}
                file.write(json.dumps({**ids, **entry, **contents}).encode() + b"\n")
        return found_among_told(tmp_path)["conflicting"]

    return of


@pytest.mark.parametrize("way", [[FAILED], [SUCCEEDED, FAILED], [ENDED], [FAILED, ENDED]])
def test_what_is_given_up_because_its_last_attempt_failed_is_told_and_no_finding(found, way):
    assert found(*way) == 0


@pytest.mark.parametrize("way", [[], [SUCCEEDED], [REFUSED, SUCCEEDED], [FAILED, SUCCEEDED], [FAILED, SUCCEEDED, ENDED]])
def test_what_is_given_up_by_an_invocation_that_succeeds_is_a_finding(found, way):
    assert found(*way) == 1


def _reporting(failed, *, batch=("id-16", "id-17", "id-18"), of="messageId", sender="id-17"):
    """An invocation that succeeds, and reports these items of its batch."""
    if of == "messageId":
        items = [{"messageId": f"m-{body}", "body": body, "attributes": {"SenderId": sender}} for body in batch]
    else:
        items = [
            {"kinesis": {"sequenceNumber": f"m-{body}", "partitionKey": body, "data": base64.b64encode(body.encode()).decode()}}
            for body in batch
        ]
    answer = json.dumps({"batchItemFailures": [{"itemIdentifier": f"m-{body}"} for body in failed]})
    return {**SUCCEEDED, "gives_back": True, "carried": json.dumps({"Records": items}), "answer": answer}


@pytest.mark.parametrize(
    ("failed", "of", "findings"),
    [
        (["id-17"], "messageId", 0), (["id-16", "id-17"], "messageId", 0), (["id-16"], "messageId", 1), ([], "messageId", 1),
        (["of another batch"], "messageId", 0), (["id-17"], "kinesis", 0), (["id-16"], "kinesis", 0), (["id-18"], "kinesis", 1), ([], "kinesis", 1),
    ],
)  # fmt: skip
def test_what_an_invocation_gives_back_is_told_and_no_finding(found, failed, of, findings):
    assert found(_reporting(failed, of=of)) == findings


def test_what_nobody_reads_is_not_given_back(found):
    """The mapping does not read such answers, or the event is of no mapping."""
    assert found({**_reporting(["id-17"]), "gives_back": False}) == 1


@pytest.mark.parametrize(
    "answer", ['{"batchItemFailures": [{"itemIdentifier": null}]}', '{"batchItemFailures": [{}]}', '{"batchItemFailures": 1}']
)
def test_an_answer_that_makes_no_sense_gives_all_back(found, answer):
    assert found({**_reporting([]), "answer": answer}) == 0


def test_other_items_with_such_a_key_are_not_reported(found):
    assert found({**_reporting([]), "answer": '{"batchItemFailures": [], "log": [{"itemIdentifier": "m-id-17"}]}'}) == 1


def test_a_record_that_also_stands_in_an_item_which_was_kept_is_a_finding(found):
    assert found(_reporting(["id-17"], batch=("id-17", "of id-17"))) == 1


FILE = "logs/a.gz@version-17"


@pytest.mark.parametrize(
    ("batch", "failed", "findings"),
    [
        (["version-17", "version-18"], ["version-17"], 0), (["version-17", "version-18"], ["version-18"], 1),
        # What has the record itself is decided by that, whatever else names its file.
        (["id-17 version-17", "id-18 version-17"], ["id-17 version-17"], 0), (["id-17 version-17", "id-18 version-17"], ["id-18 version-17"], 1),
    ],
)  # fmt: skip
def test_a_message_that_names_the_file_gives_back_its_records(found, batch, failed, findings):
    assert found(_reporting(failed, batch=batch, sender="AIDA"), shard=FILE) == findings


def test_a_record_that_came_by_itself_is_not_given_back_with_its_file(found):
    by_itself, other = _reporting([], batch=["id-17"]), ["id-18 version-17"]
    assert found(by_itself, _reporting(other, batch=other, sender="AIDA"), shard=FILE) == 1


def test_items_of_a_table_are_given_back_from_the_first_on(found):
    items = [
        {"dynamodb": {"SequenceNumber": f"{n}00", "Keys": {"id": {"S": name}}}} for n, name in enumerate(("id-16", "id-17"), 1)
    ]
    entry = {**SUCCEEDED, "gives_back": True, "carried": json.dumps({"Records": items})}
    answers = [json.dumps({"batchItemFailures": [{"itemIdentifier": number}] if number else []}) for number in ("100", "200", None)]
    assert [found({**entry, "answer": answer}) for answer in answers] == [0, 0, 1]


def test_a_long_report_that_is_cut_off_tells_those_that_it_names(found):
    whole = _reporting(["id-17", "id-16"])
    assert found({**whole, "answer": whole["answer"][: whole["answer"].index("m-id-16")]}) == 0


def test_what_was_rejected_and_is_stored_is_a_finding_whatever_failed(found):
    assert found(FAILED, status=Status.REJECTED) == 1


def test_of_the_misrouted_those_count_that_are_stored(tmp_path):
    healthy, malformed = Record("h", b"{}", b"{}"), Record("m", b"x", None, "bad_json")
    with Ledger(tmp_path / "ledger.parquet") as ledger:
        for record in (healthy, malformed):
            ledger.add(record, Answer(Status.ACKED, 200))
    write_observations(
        tmp_path / "observations.parquet", [Observation(Outcome.ALERTED, "there", "h"), Observation(Outcome.STORED, "here", "m")]
    )
    account = reconcile(tmp_path / "ledger.parquet", tmp_path / "observations.parquet", tmp_path)
    assert account.anomalies["misrouted"] == 2
    assert found_among_told(tmp_path)["misrouted"] == 1


def test_an_outage_may_keep_away_what_is_beside_the_records():
    scenario = load_scenario(scenario_files()["orders-malformed"])
    kinds = [[check.kind for check in under_faults(scenario, outage=outage).checks] for outage in (False, True)]
    assert kinds == [["archive", "email", "alarm"], []]


def test_what_is_fetched_is_waited_for_as_long_as_an_outage_lasts():
    scenario = load_scenario(scenario_files()["customers-malformed"])
    within = [under_faults(scenario, outage=outage).send.within_s for outage in (False, True)]
    assert within == [scenario.send.within_s, scenario.faults_timeout_s]
    assert within[1] < within[0]
