"""A report's numbers are those of the run, whatever it was; what it leaves out, it says."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from itertools import pairwise

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accounting.observations import write_observations
from harness.accounting.reconcile import reconcile
from harness.accounting.record import Observation, Outcome, Status
from harness.errors import UsageError
from harness.report.html import page
from harness.report.html.document import Gathered, Kept
from harness.report.html.series import END_TO_END
from harness.run.journal import JOURNAL
from harness.run.trace import HOW
from tests.unit.report.runs import LOST, PROMISED, STORED, left_run


def invocation(number, **more):
    of = {
        "kind": "invocation",
        "at_ms": 1_100 + number,
        "began_ms": 1_090,
        "id": f"i-{number}",
        "name": "made-store",
        "error": None,
        "took_ms": 10,
        "log": "",
    }
    return {**of, "carried": json.dumps({"Records": [{"body": f"id-{number}"}]}), "answer": "", **more}


def called(within, operation):
    """A call that went well, without its id, time and contents."""
    of = {"kind": "call", "name": "made-store", "invocation": within, "call": operation}
    return {**of, "status": 200, "error": None, "put": None}


KINDS = st.sampled_from(
    [
        STORED,
        LOST,
        (Status.ACKED, Outcome.STORED, None, b'{"id": "y"}'),
        (Status.ACKED, Outcome.DEAD_LETTERED, "bad_json", None),
        (Status.ACKED, Outcome.STORED, "bad_json", b"{}"),
        (Status.ACKED, Outcome.DEAD_LETTERED, None, None),
        (Status.REJECTED, None, "bad_json", None),
        (Status.REJECTED, Outcome.STORED, None, PROMISED),
        (Status.INDETERMINATE, None, None, None),
        (Status.INDETERMINATE, Outcome.STORED, None, PROMISED),
    ]
)


@settings(max_examples=25, deadline=None)
@given(records=st.lists(KINDS, min_size=1, max_size=60))
def test_the_bands_and_the_series_add_up_to_the_account(tmp_path_factory, records):
    directory = tmp_path_factory.mktemp("run")
    account = left_run(directory, records)
    found = Gathered(directory).document(Kept())
    by_end = {}
    for flow in found["flows"]:
        by_end[flow["ended"]] = by_end.get(flow["ended"], 0) + flow["count"]
    outcomes = {
        "stored": account.outcome.stored,
        "dead_lettered": account.outcome.dead_lettered,
        "rejected": account.outcome.rejected,
    }
    anomalies = {name: account.anomalies[name] for name in ("lost", "irrecoverable")}
    expected = {**outcomes, **anomalies, "unacknowledged": account.outcome.unacknowledged}
    assert by_end == {name: count for name, count in expected.items() if count}
    assert sum(found["timeline"]["offered"]) == len(records)
    assert sum(found["timeline"]["stored"]) == account.outcome.stored
    # What is under way at the end was accepted, and came out nowhere.
    assert found["timeline"]["under_way"][-1] == account.anomalies["lost"]
    spoilt = {row["index"] for row in found["records"] if row["anomalies"]}
    in_table = duckdb.execute("SELECT DISTINCT index FROM read_parquet($1)", [str(directory / "anomalies.parquet")]).fetchall()
    assert spoilt == {index for (index,) in in_table}
    assert sorted(number for one in found["clusters"] for number in one["records"]) == list(range(len(spoilt)))


def test_a_record_has_its_way_its_place_and_what_differs(tmp_path):
    left_run(
        tmp_path,
        [(Status.ACKED, Outcome.STORED, None, b'{"id": "x", "more": 1}')],
        [invocation(0, log="START\nhere\n"), invocation(1)],
    )
    found = Gathered(tmp_path).document(Kept())
    (record,) = found["records"]
    assert record["differences"] == [["amount", "5", None]]
    assert record["whys"] == ["missing: amount"]
    assert (record["places"], record["promised"], record["content"]) == (
        ["s3://Bucket/0"],
        PROMISED.decode(),
        '{"id": "x", "more": 1}',
    )
    (coded,) = record["way"]
    number, how = divmod(coded, len(HOW))
    assert (HOW[how], found["hops"][number]["name"], found["hops"][number]["log"]) == ("it", "Store", "START\nhere\n")


def test_of_a_long_way_the_nearest_hops_are_shown_and_the_others_counted(tmp_path):
    put = called("i-9", "dynamodb.PutItem")
    rows = [{**put, "id": f"c-{n}", "at_ms": 1_100 + n, "carried": "upload@v1 row"} for n in range(250)]
    own = {**rows[0], "id": "c-own", "at_ms": 1_360, "carried": "id-0"}
    event = {**invocation(9, at_ms=1_400), "carried": "upload@v1"}
    left_run(tmp_path, [LOST], [*rows, own, event], shard="upload@v1")
    (record,) = (found := Gathered(tmp_path).document(Kept()))["records"]
    shown = [(HOW[coded % len(HOW)], found["hops"][coded // len(HOW)]["id"]) for coded in record["way"]]
    assert shown[-2:] == [("it", "c-own"), ("its file", "i-9")]
    assert (len(shown), record["left_out"]) == (60, 142)


def test_of_a_long_way_invocations_are_shown_before_calls_as_near(tmp_path):
    put = called("i-9", "s3.PutObject")
    rows = [{**put, "id": f"c-{n}", "at_ms": 1_100 + n, "carried": "upload@v1 row"} for n in range(150)]
    first = {**invocation(8, at_ms=1_050), "carried": "upload@v1"}
    left_run(tmp_path, [LOST], [first, *rows], shard="upload@v1")
    (record,) = (found := Gathered(tmp_path).document(Kept()))["records"]
    assert found["hops"][record["way"][0] // len(HOW)]["id"] == "i-8"


def test_two_attempts_with_one_request_id_are_two_hops_with_their_own_calls(tmp_path):
    call = called("i-0", "s3.PutObject")
    calls = [{**call, "id": f"c-{at_ms}", "at_ms": at_ms, "carried": "id-0"} for at_ms in (1_095, 1_995, 1_996)]
    left_run(tmp_path, [LOST], [calls[0], invocation(0, error="E: first"), *calls[1:], invocation(0, at_ms=2_000)])
    found = Gathered(tmp_path).document(Kept())
    assert [(failed, calls) for _, _, _, failed, calls, *_ in found["invocations"]] == [(True, 1), (False, 2)]
    found["records"][0]["way"] = [
        one for one in found["records"][0]["way"] if found["hops"][one // len(HOW)]["kind"] == "invocation"
    ]
    assert [found["hops"][coded // len(HOW)]["error"] for coded in found["records"][0]["way"]] == ["E: first", ""]


def test_states_that_fail_at_once_are_hops_of_their_own(tmp_path):
    state = {"kind": "state", "at_ms": 1_100, "id": "arn:e", "error": "E: no"}
    entries = [
        {**state, "name": "Machine at Load", "next": None, "carried": "id-0"},
        {**state, "name": "Machine at Load", "next": "Forget", "carried": "id-0"},
    ]
    left_run(tmp_path, [LOST], entries)
    found = Gathered(tmp_path).document(Kept())
    told = [found["hops"][coded // len(HOW)] for coded in found["records"][0]["way"]]
    assert [(hop["name"], hop["then"]) for hop in told] == [
        ("Machine at Load", "its Retry tried it again"),
        ("Machine at Load", "its Catch went on at Forget"),
    ]


def test_a_duplicate_is_told_with_all_its_places(tmp_path):
    left_run(tmp_path, [STORED])
    twice = [Observation(Outcome.STORED, f"s3://made-bucket/{name}", "id-0", seen_at_ms=1_500, content=PROMISED) for name in "ab"]
    write_observations(tmp_path / "observations.parquet", twice)
    reconcile(tmp_path / "ledger.parquet", tmp_path / "observations.parquet", tmp_path)
    (record,) = Gathered(tmp_path).document(Kept())["records"]
    assert (record["anomalies"], record["places"]) == (["duplicated"], ["s3://Bucket/a", "s3://Bucket/b"])


def test_of_too_many_anomalies_those_are_kept_that_are_spread_over_the_load(tmp_path):
    left_run(tmp_path, [LOST] * 200)
    kept = Gathered(tmp_path).document(replace(Kept(), anomalies=20))
    assert [row["index"] for row in kept["records"]] == list(range(0, 200, 10))
    assert kept["kept"]["anomalous"] == 200


def test_what_is_kept_of_healthy_records_is_spread_over_the_load_and_has_every_kind(tmp_path):
    left_run(tmp_path, [STORED] * 1_000 + [(Status.REJECTED, None, "bad_json", None)] + [LOST] * 3)
    gathered = Gathered(tmp_path)
    found = gathered.document(Kept())
    indices = [row["index"] for row in found["records"] if not row["anomalies"]]
    assert len(indices) == 41
    assert 1_000 in indices
    assert max(b - a for a, b in pairwise(indices)) <= 26
    assert found["kept"] == {"offered": 1_004, "anomalous": 3, "anomalous_kept": 3, "others_kept": 41}
    fewer = [row["index"] for row in gathered.document(replace(Kept(), others=10))["records"] if not row["anomalies"]]
    assert len(fewer) == 11
    assert set(fewer) < set(indices)


def test_how_long_it_took_is_told_apart_by_faults(tmp_path):
    faults = {
        "plan": [{"id": "f", "kind": "lambda_slow"}],
        "fired": [{"id": "f", "firings": [{"at_ms": 1_505, "request_id": "i-1", "caller": "made-store", "call": ""}]}],
    }
    left_run(tmp_path, [STORED] * 10, [invocation(0), invocation(1, took_ms=900)], faults)
    found = Gathered(tmp_path).document(Kept())
    by_hop = {one["hop"]: one for one in found["latencies"]}
    assert (by_hop["Store"]["unmet"]["count"], by_hop["Store"]["met"]["count"]) == (1, 1)
    assert by_hop["Store"]["met"]["ms"][0] == 900
    # Record 0 was stored before the fault fired; the others were on their way.
    assert (by_hop[END_TO_END]["unmet"]["count"], by_hop[END_TO_END]["met"]["count"]) == (1, 9)
    (site,) = found["coverage"]["sites"]
    assert site["cells"][found["coverage"]["kinds"].index("lambda_slow")] == [1, 0]
    assert found["firings"]["bands"] == [{"fault": "f", "kind": "lambda_slow", "from": 505.0, "to": 505.0, "fired": 1}]


def test_what_no_probe_knows_the_time_of_is_stored_when_its_object_was_written(tmp_path):
    written = {
        "kind": "call",
        "name": "made-store",
        "invocation": "i-0",
        "call": "s3.PutObject",
        "status": 200,
        "error": None,
        "began_ms": 1_600,
    }
    puts = [
        {**written, "id": f"p-{number}", "at_ms": 1_610 + number, "put": f"made-bucket/{number}", "carried": ""}
        for number in range(2)
    ]
    left_run(tmp_path / "known", [STORED] * 2 + [LOST], puts, timed=False)
    found = Gathered(tmp_path / "known").document(Kept())
    assert [row["seen"] for row in found["records"] if row["ended"] == "stored"] == [610.0, 611.0]
    assert (found["timeline"]["under_way"][-1], found["timeline"]["timeless"]) == (1, 0)
    left_run(tmp_path / "unknown", [STORED] * 2 + [LOST], puts[:1], timed=False)
    found = Gathered(tmp_path / "unknown").document(Kept())
    assert (found["timeline"]["under_way"], found["timeline"]["timeless"]) == (None, 1)


def test_a_run_that_was_not_reconciled_has_a_report(tmp_path):
    left_run(tmp_path, [LOST, STORED])
    for name in ("observations", "outcomes", "anomalies"):
        (tmp_path / f"{name}.parquet").unlink()
    (tmp_path / JOURNAL).unlink()
    assert Gathered(tmp_path).document(Kept())["flows"] == [{"status": "acked", "ended": None, "anomaly": None, "count": 2}]
    (tmp_path / "ledger.parquet").unlink()
    assert Gathered(tmp_path).document(Kept())["flows"] == []
    assert page.write_report(tmp_path).exists()


def test_a_directory_of_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"is no directory of a run that has ended: it has no result\.json"):
        page.write_report(tmp_path)
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(UsageError, match="is not the result of a run of schema 1"):
        page.write_report(tmp_path)
    assert "none could be written" in page.left_report(tmp_path)


def refused(directory):
    with pytest.raises(UsageError) as told:
        page.write_report(directory)
    assert "\n" not in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    "changed", [{"verdict": "banana"}, {"verdict": None}, {"scenario": 7}, {"reasons": "none"}, {"anomalies": {"lost": "2"}}]
)
def test_a_result_with_other_things_in_it_is_refused_with_their_key(tmp_path, changed):
    left_run(tmp_path, [STORED])
    path = tmp_path / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    assert f"is not the result of a run: {next(iter(changed))}" in refused(tmp_path)
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name not in changed}))
    assert f"is not the result of a run: {next(iter(changed))}: Field required" in refused(tmp_path)


@pytest.mark.parametrize(
    "name", ["ledger.parquet", "observations.parquet", "outcomes.parquet", "anomalies.parquet", JOURNAL, "plan.json", "faults.json"]
)
@pytest.mark.parametrize("content", [b"", b"PAR1\xff\xfe", b"\xff\xfe{}", b"[]"])
def test_a_damaged_file_is_refused_in_a_line_with_its_directory(tmp_path, name, content):
    left_run(tmp_path, [STORED, LOST], [invocation(0)])
    (tmp_path / name).write_bytes(content)
    if content == b"" and name == JOURNAL:
        return
    assert str(tmp_path) in refused(tmp_path)


@pytest.mark.parametrize("name", ["observations", "ledger", "outcomes", "anomalies"])
def test_a_table_with_other_types_is_refused(tmp_path, name):
    left_run(tmp_path, [STORED, LOST])
    table = pq.read_table(tmp_path / f"{name}.parquet")
    pq.write_table(
        pa.table({column: pa.array([1] * max(len(table), 1)) for column in table.column_names}), tmp_path / f"{name}.parquet"
    )
    with contextlib.suppress(UsageError):
        page.write_report(tmp_path)


def test_what_a_directory_lacks_is_said(tmp_path):
    left_run(tmp_path, [STORED, LOST], [invocation(0)])
    assert Gathered(tmp_path).document(Kept())["missing"] == []
    for name in ("outcomes.parquet", JOURNAL, "plan.json"):
        (tmp_path / name).unlink()
    assert Gathered(tmp_path).document(Kept())["missing"] == ["outcomes.parquet", JOURNAL, "plan.json"]


def test_a_run_that_offered_nothing_has_a_report(tmp_path):
    left_run(tmp_path, [], [invocation(0, at_ms=1_795_964_149_974)])
    assert sum(sum(one["invocations"]) for one in Gathered(tmp_path).document(Kept())["timeline"]["functions"].values()) == 1


def test_where_it_cannot_be_written_that_is_said(tmp_path):
    left_run(tmp_path, [STORED])
    (tmp_path / ".report.html").mkdir()
    assert "report.html cannot be written" in refused(tmp_path)


def test_of_many_anomalies_each_is_kept_with_fewer_ways(tmp_path):
    left_run(tmp_path, [LOST] * 3_000 + [STORED] * 500, [invocation(n, log="x" * 3_000) for n in range(900)])
    path = page.write_report(tmp_path)
    assert path.stat().st_size <= page.MOST_BYTES
    kept = json.loads(path.read_text().partition('id="run">')[2].partition("</script>")[0])
    assert (kept["kept"]["anomalous_kept"], kept["kept"]["others_kept"] >= 10) == (3_000, True)
    assert sum("way" in row for row in kept["records"]) >= 50


def test_no_text_of_a_run_ends_the_script_that_holds_it(tmp_path):
    left_run(tmp_path, [LOST], [invocation(0, error="</script><script>alert(1)</script><!--")])
    written = page.write_report(tmp_path).read_text()
    assert "<script>alert" not in written
    assert written.count("</script>") == 3
    assert "\\u003c/script>" in written


def test_a_large_report_keeps_less_and_says_so(tmp_path, monkeypatch):
    left_run(tmp_path, [LOST] * 300 + [STORED] * 300, [invocation(n, log="x" * 3_000) for n in range(300)])
    whole = page.write_report(tmp_path).stat().st_size
    assert page.MOST_BYTES >= whole > 500_000
    monkeypatch.setattr(page, "MOST_BYTES", 350_000)
    path = page.write_report(tmp_path)
    assert path.stat().st_size <= 350_000
    kept = json.loads(path.read_text().partition('id="run">')[2].partition("</script>")[0])["kept"]
    assert kept["anomalous_kept"] == kept["anomalous"] == 300


def test_it_is_told_where_the_probes_looked(tmp_path):
    left_run(tmp_path, [LOST])
    probes = [{"kind": "s3", "bucket": "${outputs.Lake}", "prefix": "in/", "id": "id"}, {"use": "mine.py:Probe"}]
    plan = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**plan, "document": {"probes": probes}}))
    assert Gathered(tmp_path).document(Kept())["places"] == ["s3 ${outputs.Lake} in/", "mine.py:Probe"]
