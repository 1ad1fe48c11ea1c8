"""The way of a record: found by its ids, its sequence number, its file, or an object that it was put into; and by nothing that only looks alike."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accounting.ledger import Ledger
from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Answer, Observation, Outcome, Record, Status
from harness.accounting.verdict import Account, Example
from harness.cli import main
from harness.run.journal import JOURNAL
from harness.run.trace import decisive, faults_by_request, logical, names_file, renamed, ways, with_ways

SEQUENCE = "49" + "0" * 52 + "17"


def invocation(name, carried, *, id="i-1", error=None, log="", at_ms=1000):  # noqa: A002
    return {
        "kind": "invocation",
        "at_ms": at_ms,
        "id": id,
        "name": name,
        "error": error,
        "took_ms": 5,
        "log": log,
        "carried": carried,
    }


def call(name, operation, carried, *, put=None, status=200, id="c-1", within="i-1"):  # noqa: A002
    of = {"kind": "call", "at_ms": 1500, "id": id, "name": name, "invocation": within, "call": operation, "status": status}
    return {**of, "error": None, "put": put, "keys": None, "carried": carried}


@pytest.fixture
def run_dir(tmp_path):
    def write(*entries):
        with pa.CompressedOutputStream(str(tmp_path / JOURNAL), "zstd") as file:
            file.write("".join(json.dumps(entry) + "\n" for entry in entries).encode())
        return tmp_path

    return write


def way(directory, record_id="id-17", shard=None, sequence=None, met=None):
    ((*hops,),) = ways(directory, [(record_id, shard, sequence)], met or {})
    return [(hop.how, hop.text) for hop in hops]


def test_a_record_is_found_by_its_id_and_not_within_another(run_dir):
    directory = run_dir(
        invocation("Store", '{"Records": [{"body": "{\\"id\\": \\"id-17\\"}"}]}'),
        invocation("Store", '{"id": "id-170"}'),
        invocation("Store", '{"id": "my-id-17"}'),
    )
    assert [how for how, _ in way(directory)] == ["it"]


def test_the_invocation_that_fetched_it_is_a_hop_though_its_event_had_it_not(run_dir):
    directory = run_dir(
        call("Sync", "dynamodb.PutItem", "id-17"),
        invocation("Sync", "{}", error="E: killed", at_ms=2000),
        invocation("Sync", "{}", id="i-2", at_ms=3000),
    )
    assert [how for how, _ in way(directory)] == ["it", "another event"]
    assert way(directory)[1][1].endswith("Sync was invoked with another event (i-1) and failed with E: killed after 5 ms")


def test_hops_are_told_in_the_order_of_their_times(run_dir):
    directory = run_dir(*(invocation("Store", "id-17", id=f"i-{n}", at_ms=at) for n, at in enumerate([1010, 1000, 1020])))
    assert [text[6:12] for _, text in way(directory)] == ["00.995", "01.005", "01.015"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_many_records_at_once_have_the_ways_that_each_has_alone(tmp_path_factory, data):
    """Of many records an index says which a line may carry."""
    ids = [f"{name}{n}" for n in range(70) for name in ("id-", "a/b-", "x.y@z", "ümlaut ")][
        : data.draw(st.sampled_from([3, 70, 280]))
    ]
    sequences = [f"49{n:054d}" for n in range(len(ids))]
    lines = data.draw(
        st.lists(
            st.lists(st.sampled_from([*ids, *(f"key-{one}-x.json" for one in sequences), "o/k-1.json", "more"]), max_size=4),
            max_size=6,
        )
    )
    directory = tmp_path_factory.mktemp("run")
    entries = [
        {**call("Store", "s3.PutObject", " ".join(words), put=f"b/o/k-{n}.json", id=f"c-{n}", within=f"i-{n}"), "at_ms": n}
        for n, words in enumerate(lines)
    ]
    with pa.CompressedOutputStream(str(directory / JOURNAL), "zstd") as file:
        file.write("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries).encode())
    sought = [(one, "shard", sequence) for one, sequence in zip(ids, sequences, strict=True)]
    said = " ".join(word for words in lines for word in words)
    # Those that are somewhere, and the first.
    some = [place for place, (name, _, sequence) in enumerate(sought) if not place or name in said or sequence in said][:12]
    together = ways(directory, sought, {})
    assert [together[place] for place in some] == [ways(directory, [sought[place]], {})[0] for place in some]


def test_all_parts_of_an_id_must_be_there(run_dir):
    directory = run_dir(invocation("Store", "maria,physics"), invocation("Store", "maria,chemistry"))
    assert len(way(directory, "maria/physics")) == 1


def test_a_record_of_a_stream_is_found_by_its_sequence_number(run_dir):
    directory = run_dir(
        invocation("Store", json.dumps({"kinesis": {"sequenceNumber": SEQUENCE, "data": "e30="}}), error="E: it failed")
    )
    ((how, text),) = way(directory, "unknown", "shard-0", SEQUENCE, {"i-1": ["cut"]})
    assert how == "it"
    assert text.endswith("Store was invoked with it (i-1) and failed with E: it failed after 5 ms, met cut")


def test_a_row_is_followed_from_its_file_into_the_object_that_it_was_put_into(run_dir):
    directory = run_dir(
        invocation("Start", '{"s3": {"object": {"key": "in/a.csv", "versionId": "v1x"}}}'),
        call("Split", "s3.PutObject", '{"Bucket": "b"}id-17,x', put="b/work/chunk-3.csv"),
        call("Split", "s3.PutObject", '{"Bucket": "b"}id-18,x', put="b/work/chunk-4.csv"),
        call("Validate", "s3.GetObject", '{"Key": "work/chunk-3.csv"}', put="b/work/chunk-3.csv"),
        call("Validate", "s3.GetObject", '{"Key": "work/chunk-4.csv"}', put="b/work/chunk-4.csv"),
    )
    hops = way(directory, "id-17", "in/a.csv@v1x", "17")
    assert [how for how, _ in hops] == ["its file", "it", "an object with it"]
    assert hops[1][1].endswith("Split called s3.PutObject s3://b/work/chunk-3.csv with it: 200")


def test_the_line_of_a_file_is_no_name(run_dir):
    assert way(run_dir(invocation("Store", '{"line": 17}')), "other", "in/a.csv@v1x", "17") == []


def lost(directory):
    """A run in which one of two records was lost."""
    with Ledger(directory / "ledger.parquet") as ledger:
        for number in (17, 18):
            ledger.add(Record(f"id-{number}", b"x", b"{}"), Answer(Status.ACKED, 500, detail="taken"))
    write_observations(directory / "observations.parquet", [Observation(Outcome.STORED, "here", "id-18", content=b"{}")])
    return reconcile(directory / "ledger.parquet", directory / "observations.parquet", directory)


def test_an_example_tells_where_the_record_was_last_and_what_was_logged_then(run_dir):
    directory = run_dir(
        call("stack-store", "dynamodb.PutItem", "id-17", status=500),
        invocation("stack-store", "id-17", log="ERROR it went wrong", at_ms=2000),
    )
    (example,) = with_ways(lost(directory), directory, {}, {"stack-store": "Store"}).examples["lost"]
    assert len(example.hops) == 2
    assert example.last.endswith("Store called dynamodb.PutItem with it: 500")
    assert example.log == "ERROR it went wrong"


@pytest.mark.parametrize(
    ("again", "last"), [([], "called s3.PutObject with it: 403"), ([200], "was invoked with it (i-1) and succeeded after 5 ms")]
)
def test_of_an_invocation_that_succeeded_the_call_is_told_that_failed_for_good(run_dir, again, last):
    calls = [call("Store", "s3.PutObject", "id-17", status=status) for status in (403, *again)]
    directory = run_dir(*calls, invocation("Store", "id-17", log="ERROR not stored", at_ms=2000))
    (example,) = with_ways(lost(directory), directory, {}, {}).examples["lost"]
    assert example.last.endswith(last)
    assert example.log == "ERROR not stored"


def test_of_the_calls_that_failed_for_good_the_last_is_told_and_none_that_was_asked_for(run_dir):
    refused = {**call("Store", "dynamodb.PutItem", "id-17", status=400, id="c-2"), "error": "ConditionalCheckFailedException"}
    calls = [
        call("Store", "s3.PutObject", "id-17", status=403, put="b/lake/aaaaaa"), call("Store", "s3.PutObject", "id-17", put="b/audit/bbbbbb"),
        call("Store", "s3.HeadObject", "id-17", status=404), refused,
    ]  # fmt: skip
    directory = run_dir(*calls, invocation("Store", "id-17", at_ms=2000))
    (example,) = with_ways(lost(directory), directory, {}, {}).examples["lost"]
    assert example.last.endswith("called s3.PutObject s3://b/lake/aaaaaa with it: 403")


def test_an_execution_that_has_failed_is_a_hop(run_dir):
    failed = {
        "kind": "execution",
        "at_ms": 1000,
        "id": "arn:e",
        "name": "Machine at Load",
        "error": "States.Timeout",
        "carried": '{"id": "id-17"}',
    }
    assert way(run_dir(failed)) == [("it", "00:00:01.000 Machine at Load had it in arn:e and ended with States.Timeout")]


def state(name, following, at_ms):
    return {
        "kind": "state",
        "at_ms": at_ms,
        "id": "arn:e",
        "name": name,
        "error": "E: no",
        "next": following,
        "carried": '{"id": "id-17"}',
    }


def test_what_a_retry_and_a_catch_did_is_told_with_the_log_of_the_function_that_failed(run_dir):
    failed = {**invocation("Store", "id-17", log="it would not fit\n", at_ms=800), "error": "E: no"}
    directory = run_dir(failed, state("Machine at Load", None, 1000), state("Machine at Load", "Forget", 2000))
    retried, caught = way(directory)[1:]
    assert retried == ("it", "00:00:01.000 Machine at Load had it in arn:e, failed with E: no, and its Retry tried it again")
    assert caught == ("it", "00:00:02.000 Machine at Load had it in arn:e, failed with E: no, and its Catch went on at Forget")
    (example,) = with_ways(lost(directory), directory, {}, {}).examples["lost"]
    assert (example.last, example.log) == (caught[1], "it would not fit\n")


def test_a_state_whose_retry_went_well_is_no_failure(run_dir):
    directory = run_dir(state("Machine at Load", None, 1000), invocation("Store", "id-17", at_ms=2000))
    retried, _ = ways(directory, [("id-17", None, None)], {})[0]
    assert not retried.went_wrong


def test_without_a_journal_an_example_stays_as_it_is(tmp_path):
    account = lost(tmp_path)
    assert with_ways(account, tmp_path, {}, {}).examples == account.examples


def test_the_command_tells_the_whole_way(run_dir):
    directory = run_dir(
        call("Store", "dynamodb.PutItem", "id-18"),
        {**invocation("Store", "id-18", log="START\nstored it\n", at_ms=2000), "began_ms": 1400, "took_ms": 600},
    )
    lost(directory)
    told = CliRunner().invoke(main.commands["trace"], ["id-18", str(directory)])
    assert told.exit_code == 0, told.output
    assert told.output.splitlines() == [
        "id-18: healthy",
        "  00:00:00.500 offered: acked (taken)",
        "  00:00:01.400 Store was invoked with it (i-1) and succeeded after 600 ms",
        "      | START",
        "      | stored it",
        "  00:00:01.500 Store called dynamodb.PutItem with it: 200",
        "  stored at here",
    ]
    told = CliRunner().invoke(main.commands["trace"], ["id-17", str(directory)])
    assert told.output.splitlines()[-2:] == ["  nothing is known to have carried it", "  seen nowhere"]


def test_an_id_that_was_not_offered_is_answered_with_the_nearest(run_dir):
    directory = run_dir()
    lost(directory)
    refused = CliRunner().invoke(main.commands["trace"], ["id-177", str(directory)])
    assert "offered no record id-177; the nearest are id-17, id-18" in str(refused.exception)
    refused = CliRunner().invoke(main.commands["trace"], ["elsewhere", str(directory)])
    assert str(refused.exception).endswith("ledger.parquet has the ids that it offered")
    refused = CliRunner().invoke(main.commands["trace"], ["id-17", str(directory / "nowhere")])
    assert "is no directory of a run here" in str(refused.exception)


def test_faults_are_found_by_the_request_that_they_met():
    log = [{"id": "a", "firings": [{"request_id": "r"}, {"request_id": "r"}, {}]}, {"id": "b", "firings": [{"request_id": "r"}]}]
    assert faults_by_request(log) == {"r": ["a", "b"]}


def test_a_name_is_renamed_where_it_stands_alone():
    names = {"Prod": "Stage", "pp-mine-19a-Take": "Take", "pp-mine-19a-TakeMore": "TakeMore"}
    text = "ProducerFunction in pp-mine-19a-TakeMore, then pp-mine-19a-Take: /Prod/x"
    assert renamed(text, names) == "ProducerFunction in TakeMore, then Take: /Stage/x"
    assert renamed(text, {}) == text


def item(key, **attributes):
    return {"id": {"S": key}, **{name: {"S": value} for name, value in attributes.items()}}


def put_items(table, *items, within="i-1", at_ms=1500, status=200):
    request = {"RequestItems": {table: [{"PutRequest": {"Item": one}} for one in items]}}
    entry = call("Load", "dynamodb.BatchWriteItem", json.dumps(request), within=within, status=status)
    return {**entry, "at_ms": at_ms, "id": f"c-{at_ms}", "keys": {table: ["id"]}, "body": ""}


def delete_item(table, key, *, within="i-1", at_ms=1600):
    entry = call("Clean", "dynamodb.DeleteItem", json.dumps({"TableName": table, "Key": item(key)}), within=within)
    return {**entry, "at_ms": at_ms, "keys": {table: ["id"]}, "body": ""}


def put_object(place, body, *, within="i-1", at_ms=1500, operation="s3.PutObject"):
    entry = call("Pack", operation, json.dumps({"Key": place.partition("/")[2]}), put=place, within=within)
    return {**entry, "at_ms": at_ms, "id": f"c-{at_ms}", "body": body}


@pytest.mark.parametrize(
    ("entries", "hows"),
    [
        ([put_items("T", item("k", row="id-17")), put_items("T", item("k", row="id-18"), within="i-2", at_ms=1600)], ["it", "overwrote"]),
        # Another item, another table, and a call that failed.
        ([put_items("T", item("k", row="id-17")), put_items("T", item("j", row="id-18"), at_ms=1600)], ["it"]),
        ([put_items("T", item("k", row="id-17")), put_items("U", item("k", row="id-18"), at_ms=1600)], ["it"]),
        ([put_items("T", item("k", row="id-17")), put_items("T", item("k", row="id-18"), at_ms=1600, status=400)], ["it"]),
        # Written again with it.
        ([put_items("T", item("k", row="id-17")), put_items("T", item("k", row="id-17", n="2"), at_ms=1600)], ["it", "it"]),
        ([put_items("T", item("k", row="id-17")), delete_item("T", "k", within="i-2")], ["it", "deleted"]),
        # A lock, and what is stored elsewhere too.
        ([put_items("T", item("k", row="id-17")), delete_item("T", "k")], ["it"]),
        (
            [put_items("T", item("k", row="id-17"), item("j", row="id-17")), delete_item("T", "k", within="i-2")],
            ["it"],
        ),
        (
            [put_object("lake/part-00001", "id-17\nid-18"), put_object("lake/part-00001", "id-19", within="i-2", at_ms=1600)],
            ["it", "overwrote"],
        ),
        (
            [put_object("lake/part-00001", "id-17"), put_object("lake/part-00001", "id-17 id-18", within="i-2", at_ms=1600)],
            ["it", "it"],
        ),
        (
            [
                put_object("lake/part-00001", "id-17"),
                put_object("lake/part-00001", "", within="i-2", at_ms=1600, operation="s3.DeleteObject"),
            ],
            ["it", "deleted"],
        ),
        # What reads the object after that reads another's.
        (
            [
                put_object("lake/part-00001", "id-17"),
                put_object("lake/part-00001", "id-19", within="i-2", at_ms=1600),
                call("Read", "s3.GetObject", '{"Key": "part-00001"}', within="i-3"),
            ],
            ["it", "overwrote"],
        ),
    ],
)  # fmt: skip
def test_what_takes_away_what_was_stored_of_a_record_is_told(run_dir, entries, hows):
    assert sorted(how for how, _ in way(run_dir(*entries))) == sorted(hows)


def test_of_a_record_that_was_overwritten_the_overwriting_is_told_last(run_dir):
    directory = run_dir(
        put_items("T", item("k", row="id-17")),
        invocation("Load", "id-17", at_ms=1550),
        put_items("T", item("k", row="id-18"), within="i-2", at_ms=1600),
        invocation("Load", "id-18", id="i-2", log="second", at_ms=1700),
    )
    ((*hops,),) = ways(directory, [("id-17", None, None)], {})
    last, _ = decisive(hops)
    assert last.text.endswith("Load called dynamodb.BatchWriteItem, which overwrote what was stored of it: 200")
    # Stored again, it is not that.
    directory = run_dir(
        put_items("T", item("k", row="id-17")),
        put_items("T", item("k", row="id-18"), within="i-2", at_ms=1600),
        put_items("T", item("j", row="id-17"), within="i-3", at_ms=1700),
    )
    ((*hops,),) = ways(directory, [("id-17", None, None)], {})
    assert decisive(hops)[0].how == "it"


def test_names_are_known_by_the_last_part_of_an_arn_or_a_url_too():
    physical = {"Queue": "http://127.0.0.1:4566/0/stack-Queue-1a", "Table": "stack-Table-2b", "Stage": "x/Prod", "None": None}
    names = logical(physical)
    assert (
        renamed("sqs.SendMessage of stack-Queue-1a, stack-Table-2b and Prod", names) == "sqs.SendMessage of Queue, Table and Prod"
    )
    assert renamed("http://127.0.0.1:4566/0/stack-Queue-1a", names) == "Queue"


def test_of_a_body_of_which_the_journal_may_not_keep_all_nothing_is_said(run_dir):
    long = "x" * ((4 << 20) + 1)
    directory = run_dir(put_object("lake/part-00001", "id-17"), put_object("lake/part-00001", long, within="i-2", at_ms=1600))
    assert [how for how, _ in way(directory)] == ["it", "an object with it"]


def test_a_lost_record_that_stands_in_one_place_of_two_is_said_to_stand_there(run_dir, tmp_path):
    (tmp_path / "anywhere-0.json").write_text(json.dumps([[0, "table T-1", ["id-17", "id-18"], []], [1, "s3://b/", ["id-18"], []]]))
    example = Example("id-17", "nowhere", "accepted, and seen nowhere afterwards")
    account = with_ways(Account(examples={"lost": (example,)}), run_dir(), {}, {"T-1": "Table"})
    assert account.examples["lost"][0].why == "accepted, and not in each place that holds every record; it stands at table Table"


def test_a_text_names_the_file_of_a_record_by_its_version_or_by_its_whole_key():
    line = ("2-0", "logs/a%20%2B1.gz@AaIv4TvftoEF1U", "1")
    assert names_file('{"key": "logs/a+%2B1.gz", "versionId": "AaIv4TvftoEF1U"}', line)
    assert not names_file('{"key": "logs/a+%2B1.gz", "versionId": "another"}', line)
    assert names_file('{"key": "logs/a+%2B1.gz"}', ("2-0", "logs/a%20%2B1.gz", "1"))
    assert names_file("s3://bucket/data/part-1", ("2-0", "data/part-1", "1"))
    assert not names_file('{"key": "data/part-10"}', ("2-0", "data/part-1", "1"))
