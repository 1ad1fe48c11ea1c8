"""The end of a run on a terminal: failure first, then the counts, then how to see it again."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from harness.accounting.verdict import Account, Example, Ingress, Judgement, Verdict
from harness.emulator.permissions import Denied
from harness.report.result import result
from harness.report.terminal import Terminal, summary
from harness.run.events import Cause, Permissions, PhaseStarted, RunFinished, Timing
from tests.unit.report.runs import EMULATOR, lost


def finished(verdict, account):
    timing = Timing(0.6, 4.5, 0.9, 1.2, 8.8, 4626.4)
    return RunFinished(
        "clickstream-10k",
        1,
        "2026-01-31T08:00:00Z",
        "pipeproof run clickstream-10k --seed 1",
        Path("runs/x"),
        EMULATOR,
        verdict,
        account,
        timing,
        "ab" * 32,
    )


def text(finished_run):
    return "\n".join(Text.from_markup(line).plain for line in summary(finished_run))


def test_a_failure_names_the_first_ids_with_their_hop_and_the_command():
    said = text(finished(Verdict(Judgement.FAIL, ("7 of 10 records lost",)), lost()))
    assert said == (
        "\n"
        "7 of 10 records lost\n"
        "  lost:\n"
        "    id-[0]  accepted, and seen nowhere; shard:0\n"
        "    id-[1]  accepted, and seen nowhere; shard:1\n"
        "    id-[2]  accepted, and seen nowhere; shard:2\n"
        "    id-[3]  accepted, and seen nowhere; shard:3\n"
        "    id-[4]  accepted, and seen nowhere; shard:4\n"
        "    … 2 more; result.json has up to 100\n"
        "\n"
        "  offered                10   acked 10, rejected 0, indeterminate 0\n"
        "  stored                  3\n"
        "  dead-lettered           0\n"
        "  alerted                 0\n"
        "  rejected                0\n"
        "  anomalies      lost 7, irrecoverable 0, duplicated 0, phantom 0, corrupted 0, conflicting 0, misrouted 0\n"
        "  latency        p50 1.00 s, p95 2.00 s, max 4.00 s\n"
        "  time           start 0.6 s, deploy 4.5 s, load 0.9 s, drain 1.2 s, total 8.8 s; 4,626 records/s\n"
        "\n"
        "FAIL  runs/x/result.json\n"
        "Reproduce with: pipeproof run clickstream-10k --seed 1"
    )


CAUSES = (
    Cause("Store", "KeyError: '[b]'", 1200, 0, "id-[0]"),
    Cause("Machine at Load", "Injected: planned", 3, 3, None),
    Cause("Store", "TimeoutError: late", 2, 1, None),
    Cause("Last", "E: rare", 1, 0, None),
)


def test_what_failed_most_often_stands_beneath_the_verdict():
    said = text(replace(finished(Verdict(Judgement.FAIL, ("lost",)), lost()), causes=CAUSES))
    assert (
        "  failures\n"
        "      1,200 x Store: KeyError: '[b]'; first with id-[0]\n"
        "          3 x Machine at Load: Injected: planned, 3 of them by planned faults\n"
        "          2 x Store: TimeoutError: late, 1 of them by planned faults\n"
        "    … 1 more; result.json has them\n"
    ) in said


def test_a_run_that_passes_tells_only_what_no_planned_fault_explains():
    passed = finished(Verdict(Judgement.PASS, ()), Account(Ingress(), reconciled=True))
    said = text(replace(passed, causes=CAUSES[1:]))
    assert "planned\n" not in said
    assert "  failures\n          2 x Store: TimeoutError: late, 1 of them by planned faults\n          1 x Last: E: rare\n" in said
    assert "failures" not in text(replace(passed, causes=CAUSES[1:2]))


def test_an_unknown_run_claims_no_counts():
    run = finished(Verdict(Judgement.UNKNOWN, ("the emulator died",)), Account(Ingress(10, 4, 6, 0)))
    said = text(run)
    assert "outcome        not known" in said
    assert "UNKNOWN" in said
    document = result(run)
    assert set(document["anomalies"].values()) == {None}
    assert set(document["outcome"].values()) == {None}
    assert document["ingress"] == {"offered": 10, "acked": 4, "indeterminate": 6, "rejected": 0}


def test_result_json_has_the_keys_of_the_contract():
    document = result(finished(Verdict(Judgement.FAIL, ("7 of 10 records lost",)), lost()))
    assert list(document) == [
        "schema", "scenario", "seed", "started_at", "command", "payload_sha256", "emulator", "verdict", "reasons", "ingress",
        "outcome", "anomalies", "examples", "faults", "causes", "permissions", "classes", "checks", "timing",
    ]  # fmt: skip
    assert list(document["timing"]) == [
        "start_s", "deploy_s", "load_s", "drain_s", "total_s", "records_per_s", "latency_s",
    ]  # fmt: skip
    assert document["examples"]["lost"][0] == {
        "record_id": "id-[0]", "last_seen": "shard:0", "why": "accepted, and seen nowhere", "shard": None,
        "sequence": None, "hops": (), "last": "", "log": "",
    }  # fmt: skip


@pytest.mark.parametrize(("mode", "said"), [("enforce", "denied:"), ("report", "AWS would deny these calls")])
def test_what_the_policies_do_not_allow_is_told_whatever_the_verdict(mode, said):
    denied = Denied("StoreFunction", "s3:PutObject", "arn:aws:s3:::b/*", "no policy of role R allows it (P)", 1200)
    of = replace(finished(Verdict(Judgement.PASS), Account(reconciled=True)), permissions=Permissions(mode, (denied,) * 7))
    lines = summary(of)
    told = next(place for place, line in enumerate(lines) if line.startswith("  permissions"))
    assert said in lines[told]
    line = "    StoreFunction: s3:PutObject on arn:aws:s3:::b/* (1,200 calls): no policy of role R allows it (P)"
    assert lines[told + 1 : told + 7] == [line] * 5 + ["    … 2 more; result.json has them"]
    assert result(of)["permissions"]["denied"][0]["action"] == "s3:PutObject"


def test_what_a_function_logged_is_neither_lambdas_own_nor_a_metric():
    log = """START RequestId: 1\nrow 7 was refused\nstored 9\n{"_aws":{},"RecordsFailed":1}\nEND RequestId: 1"""
    example = Example("id", "shard:1", "accepted, and seen nowhere", last="Function called s3.PutObject", log=log)
    account = replace(lost(), examples={"lost": (example,)})
    said = text(finished(Verdict(Judgement.FAIL, ("1 of 10 records lost",)), account))
    assert "log, which does not name it: row 7 was refused\n" in said


def test_of_what_a_function_logged_the_line_with_the_record_is_shown():
    log = "ERROR of another\ncould not store id-[0], denied\ncould not store id-9\n"
    account = lost()
    first = replace(account.examples["lost"][0], last="Store was invoked with it", log=log)
    said = text(finished(Verdict(Judgement.FAIL, ("7 of 10 records lost",)), replace(account, examples={"lost": (first,)})))
    assert "      log:  could not store id-[0], denied" in said
    assert "id-9" not in said
    without = replace(first, log="ERROR of another\nlast words\n")
    said = text(finished(Verdict(Judgement.FAIL, ("7 of 10 records lost",)), replace(account, examples={"lost": (without,)})))
    assert "      log, which does not name it: ERROR of another" in said


def shown(*happened, **settings):
    console = Console(file=io.StringIO(), width=200)
    terminal = Terminal(console, **settings)
    for event in happened:
        terminal.show(event)
    return terminal, console.file.getvalue()


def test_a_quiet_run_shows_the_verdict_and_its_reasons_alone():
    _, said = shown(
        PhaseStarted("deploy", "deploying"), finished(Verdict(Judgement.FAIL, ("7 of 10 records lost",)), lost()), quiet=True
    )
    assert said == "FAIL  clickstream-10k  runs/x\n  7 of 10 records lost\n"


def test_a_log_says_now_and_then_what_takes_long():
    terminal, said = shown(PhaseStarted("deploy", "the stack of [orders]"))
    assert said == ""
    began = terminal._phase_began
    assert terminal._reminder(began + 1) == ""
    assert Text.from_markup(terminal._reminder(began + 43)).plain == "  … the stack of [orders], for 43 s"
