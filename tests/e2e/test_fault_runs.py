"""Whole runs under faults: they pass, they are the same every time, they can be run again from their directory, and prove proves."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import pytest

from harness.faults.carried import text_of_event
from harness.parts.ports import SourceContext
from harness.parts.sources.clickstream import Clickstream
from harness.run.defects import BUILT_IN, load_defects
from harness.run.journal import entries
from tests.e2e.commands import ROOT, leftovers, pipeproof


def faults_of(run_dir):
    return json.loads((run_dir / "faults.json").read_text())


def firing_log(run_dir):
    """Per fault how many events it met; a replay has a part for each."""
    counts = Counter()
    for fault in faults_of(run_dir)["fired"]:
        counts[fault["id"].partition("/")[0]] += len(fault["firings"])
    return counts


@pytest.mark.parametrize("scenario", ["clickstream-throttled", "clickstream-lambda-crashes", "clickstream-reply-lost"])
def test_the_same_seed_twice_fires_the_same_and_counts_the_same_also_from_the_run_directory_alone(tmp_path, run, scenario):
    code, output, first = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    kept = tmp_path / "kept"
    (tmp_path / "runs" / "latest").resolve().rename(kept)
    code, output, second = run(tmp_path, "replay", kept)
    assert code == 0, output
    for name in ("payload_sha256", "ingress", "outcome", "anomalies"):
        assert first[name] == second[name], name
    assert [(f["id"], f["fired"]) for f in first["faults"]] == [(f["id"], f["fired"]) for f in second["faults"]]
    assert all(fault["fired"] for fault in first["faults"])
    assert not any(first["anomalies"].values())
    log = firing_log(kept)
    assert log == firing_log(tmp_path / "runs" / "latest")
    assert log == {f["id"]: f["fired"] for f in first["faults"]}
    of_first = faults_of(kept)
    assert max(firing["at_ms"] for fault in of_first["fired"] for firing in fault["firings"]) <= of_first["ended_ms"]
    assert leftovers(tmp_path) == []


@pytest.mark.nightly
def test_a_replay_of_a_failing_run_has_the_same_anomalies_of_the_same_records(tmp_path, run):
    defects = tmp_path / "defects"
    shutil.copytree(BUILT_IN / "retry-doubles", defects / "retry-doubles")
    code, output, _ = pipeproof(tmp_path, "prove", "clickstream-lambda-errors", "--defects", defects)
    assert code == 0, output
    (failed,) = (tmp_path / "runs").glob("*-retry-doubles")
    for _ in range(2):
        code, output, result = run(tmp_path, "replay", failed)
        assert code == 1, output
        doubled = result["anomalies"]["duplicated"]
        assert f"reproduced: the same {doubled} anomalies, of the same records" in output
        assert "not reproduced" not in output


def test_a_fault_is_addressed_to_the_invocation_that_carries_a_record(tmp_path, run):
    source = {"kind": "clickstream", "records": 200}
    wanted = [record.record_id for record in Clickstream.model_validate(source).open(SourceContext(1)).units()][150]
    fault = f"{{id: that-one, kind: lambda_error_before, function: StreamTransformFunction, carrying: {wanted}, invocations: 1-2}}"
    mine = scenario_with(tmp_path, fault)
    code, output, result = run(tmp_path, "run", mine, "--records", 200)
    assert code == 0, output
    assert [fault["fired"] for fault in result["faults"]] == [2]
    run_dir = tmp_path / "runs" / "latest"
    (log,) = faults_of(run_dir)["fired"]
    met = {firing["request_id"] for firing in log["firings"]}
    carried = {entry["id"]: text_of_event(entry["carried"]) for entry, _ in entries(run_dir) if entry["kind"] == "invocation"}
    assert all(wanted in carried[request_id] for request_id in met)


def scenario_with(tmp_path, faults, name="mine.yaml"):
    text = (ROOT / "scenarios" / "clickstream-smoke.yaml").read_text().replace("../pipeline", str(ROOT / "pipeline"))
    (tmp_path / name).write_text(f"{text}faults:\n  - {faults}\n")
    return name


def test_a_fault_that_never_fires_is_unknown_and_says_what_was_expected(tmp_path, run):
    mine = scenario_with(tmp_path, "{id: never, kind: throttle, service: s3, operation: PutObject, caller: IngestFunction}")
    code, output, result = run(tmp_path, "run", mine, "--records", 200)
    assert code == 2, output
    assert result["verdict"] == "unknown"
    expected = "fault never (throttle) never fired: expected PutObject of s3 by IngestFunction, calls 1; 0 such events came"
    assert result["reasons"] == [expected]
    assert result["faults"] == [{"id": "never", "kind": "throttle", "planned": 1, "seen": 0, "fired": 0}]
    assert not any(result["anomalies"].values())


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("{kind: throttle, service: s4}", ["mine.yaml:", "faults.0.service: s4 is no AWS service", "did you mean s3"]),
        (
            "{kind: throttle, service: s3, operation: PutObjekt}",
            ["mine.yaml:", "operation: PutObjekt is no operation of s3", "PutObject"],
        ),
        (
            "{kind: error, service: sqs, resource: DeadQueue}",
            ["mine.yaml:", "resource: DeadQueue is no resource", "DeadLetterQueue"],
        ),
        (
            "{kind: error, service: sqs, caller: Transform}",
            ["mine.yaml:", "caller: Transform is no function", "StreamTransformFunction"],
        ),
        ("{kind: lambda_timeout, function: Ingest}", ["mine.yaml:", "function: Ingest is no function", "IngestFunction"]),
        ("{kind: record, malform: bad_jason, records: all}", ["mine.yaml:", "malform: bad_jason", "bad_json"]),
        ("{kind: throttle, service: s3, calls: often}", ["mine.yaml:", "calls", "'often' names no events", "every 5 in 10-40"]),
        ("{kind: partial, service: s3, operation: PutObject}", ["mine.yaml:", "no answer per entry", "kinesis PutRecords"]),
        ("{kind: hang, service: s3}", ["mine.yaml:", "hang: needs seconds"]),
        ("{kind: thortle, service: s3}", ["mine.yaml:", "thortle", "throttle"]),
        ("{kind: throttle, service: s3, call: 1}", ["mine.yaml:", "call: unknown key; did you mean calls?"]),
        (
            "{kind: cut, service: s3, after: a, repeats: b}",
            ["mine.yaml:", "after and repeats: an invocation is either the one that a fault met, or repeats it"],
        ),
        (
            "{id: a, kind: cut, service: s3, after: a}",
            ["mine.yaml:", "faults.0.after: a is the id of no other fault of a function's call; there is none"],
        ),
        (
            "{id: killed, kind: lambda_killed_after, function: IngestFunction}\n  - {kind: cut, service: s3, after: killed}",
            ["mine.yaml:", "faults.1.after: killed is the id of no other fault of a function's call"],
        ),
        (
            "{id: killed, kind: lambda_killed_after, function: IngestFunction}\n  - {kind: cut, service: s3, repeats: kiled}",
            ["mine.yaml:", "faults.1.repeats: kiled is the id of no other fault", "did you mean killed?"],
        ),
        (
            "{id: a, kind: cut, service: s3}\n  - {kind: cut, service: s3, after: a, caller: localstack}",
            ["mine.yaml:", "faults.1.caller: with after or repeats it must be a function: localstack has no invocations"],
        ),
        (
            "{id: a, kind: cut, service: s3, caller: harness}\n  - {kind: cut, service: s3, after: a}",
            ["mine.yaml:", "faults.1.after: a is the id of no other fault of a function's call"],
        ),
        (
            "{id: a, kind: lambda_init, function: IngestFunction}\n  - {kind: cut, service: s3, repeats: a}",
            ["mine.yaml:", "faults.1.repeats: a is the id of no other fault"],
        ),
        (
            "{id: a, kind: cut, service: s3, after: b}\n  - {id: b, kind: cut, service: s3, repeats: a}",
            ["mine.yaml:", "faults.0.after: comes back to this fault (a → b → a), so none of them ever meets a call"],
        ),
        (
            "{id: a, kind: cut, service: s3}\n  - {id: a, kind: cut, service: s3}",
            ["mine.yaml:", "faults.1.id: two faults have this id"],
        ),
    ],
)
def test_a_fault_that_can_meet_nothing_is_refused_and_leaves_nothing(tmp_path, fault, said):
    code, output, _ = pipeproof(tmp_path, "run", scenario_with(tmp_path, fault))
    assert code == 64, output
    for part in said:
        assert part in output
    assert "Traceback" not in output
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["nothing", "broken"])
def test_what_is_no_run_directory_cannot_be_replayed(tmp_path, name):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "plan.json").write_text("{}")
    code, output, _ = pipeproof(tmp_path, "replay", name)
    assert code == 64, output
    assert "Traceback" not in output


@pytest.mark.nightly
def test_prove_catches_the_planted_defects_and_raises_no_false_alarm(tmp_path):
    defects = ROOT / "fixtures" / "defects"
    many = sum(defect.scenario == "clickstream-dlq-outage" for defect in load_defects(defects))
    code, output, _ = pipeproof(tmp_path, "prove", "clickstream-dlq-outage", "--defects", defects)
    assert code == 0, output
    assert f"{many} of {many} caught, 0 false alarms" in output
    planted = next((tmp_path / "runs").glob("*-clickstream-dlq-outage-alert-without-ids"))
    code, output, result = pipeproof(tmp_path, "replay", planted)
    assert (code, result["anomalies"]["lost"] > 0) == (1, True), output
    assert leftovers(tmp_path) == []


@pytest.mark.nightly
def test_prove_tells_a_miss_and_exits_1(tmp_path):
    """A defect that is none: the harness rightly sees nothing, and so misses it."""
    (tmp_path / "defects" / "harmless").mkdir(parents=True)
    (tmp_path / "defects" / "harmless" / "defect.yaml").write_text(
        "wrong: A comment more.\nscenario: clickstream-smoke\nanomaly: lost\n"
        'edits:\n  - {file: transforms.py, old: "import math\\n", new: "import math  # numbers\\n"}\n'
    )
    code, output, _ = pipeproof(tmp_path, "prove", "--defects", "defects")
    assert code == 1, output
    assert "0 of 1 caught" in output
    assert "missed (it passed)" in output


def test_a_defect_whose_place_is_gone_is_named(tmp_path):
    shutil.copytree(ROOT / "fixtures" / "defects" / "field-changed", tmp_path / "defects" / "old")
    file = tmp_path / "defects" / "old" / "defect.yaml"
    file.write_text(file.read_text().replace("**event.document,", "**event.paper,"))
    code, output, _ = pipeproof(tmp_path, "prove", "--defects", "defects")
    assert code == 64, output
    assert "defect old: transforms.py: the text to replace stands there 0 times" in output
    assert leftovers(tmp_path) == []
