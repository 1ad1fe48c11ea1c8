"""Whole runs, as a person starts them: what passes passes, what loses fails and is named, and nothing is left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import duckdb
import psutil
import pytest
from uv import find_uv_bin

from harness.emulator import accounts
from harness.emulator.clients import Clients
from harness.emulator.container import sweep
from harness.emulator.docker_engine import connect
from harness.emulator.external import External
from harness.run import engine, events, state
from harness.run.recipe import Recipe, open_load
from harness.run.state import Run
from harness.scenario.catalogue import find_scenario
from harness.scenario.loading import load_scenario
from tests.conformance.functions import wait_until
from tests.e2e.commands import KIND, REAL_LOG, ROOT, containers, emulators, kill_emulator, leftovers, pipeproof, start
from tests.e2e.commands import result as latest_result
from tests.e2e.conftest import new_account

AWS_CLI = "awscli==1.46.3"
real_log = pytest.mark.skipif(not REAL_LOG.exists(), reason="the real access log is not beside the checkout (../shared/data)")


def clean(result):
    return not any(result["anomalies"].values())


def open_to_others(folder):
    """What another user of this machine can read: it holds the user's data."""
    made = [folder, *folder.rglob("*")]
    return [path for path in made if not path.is_symlink() and path.stat().st_mode & 0o077]


def test_the_smoke_scenario_accounts_for_every_kind_of_malformed_record(tmp_path):
    code, output, result = pipeproof(tmp_path, "run", "clickstream-smoke")
    assert code == 0, output
    assert result["verdict"] == "pass"
    assert clean(result)
    assert result["ingress"] == {"offered": 2000, "acked": 1990, "indeterminate": 0, "rejected": 10}
    assert result["outcome"] == {
        "stored": 1900, "dead_lettered": 90, "alerted": 0, "rejected": 10, "filtered": 0, "recovered": 0, "unacknowledged": 0,
    }  # fmt: skip
    assert leftovers(tmp_path) == []
    assert open_to_others(tmp_path / "runs") == []


def test_the_same_seed_offers_the_same_bytes_and_counts_the_same_and_another_does_not(tmp_path, run):
    results = []
    for seed in (7, 7, 8):
        code, output, result = run(tmp_path, "run", "clickstream-smoke", "--records", 400, "--seed", seed)
        assert code == 0, output
        results.append(result)
    first, second, other = results
    assert first["payload_sha256"] == second["payload_sha256"] != other["payload_sha256"]
    assert (first["ingress"], first["outcome"], first["anomalies"]) == (second["ingress"], second["outcome"], second["anomalies"])


def test_through_the_api_exactly_the_malformed_records_come_back_with_400(tmp_path, run):
    code, output, result = run(tmp_path, "run", "clickstream-api", "--records", 200)
    assert code == 0, output
    assert clean(result)
    assert result["outcome"]["rejected"] == 20
    assert result["outcome"]["stored"] == 180
    ledger = tmp_path / "runs" / "latest" / "ledger.parquet"
    rejected = duckdb.sql(f"SELECT malformed IS NOT NULL, detail FROM '{ledger}' WHERE status = 'rejected'").fetchall()
    assert len(rejected) == 20
    assert all(malformed and detail.startswith("HTTP 400: ") for malformed, detail in rejected)


@real_log
def test_ten_thousand_real_requests_are_all_accounted_for_and_duckdb_finds_them_in_the_bucket(
    tmp_path, emulator, clients, monkeypatch
):
    """What the probe says is what another tool reads: 9,999 records, equal lines among them."""
    monkeypatch.setattr(state, "_delete_stack", lambda *_: None)
    name, path = find_scenario("clickstream-replay")
    scenario = load_scenario(path)
    recipe = Recipe(name, scenario, 1, input_path=REAL_LOG)
    endpoint = External(emulator.endpoint)
    run = Run(recipe, open_load(recipe), endpoint, "external", "", tmp_path, account=clients.account)
    deployed, finished = {}, None
    for event in engine.conduct(run):
        if isinstance(event, events.StackDeployed):
            deployed = event.outputs
        finished = event
    assert finished.verdict.judgement == "pass", finished.verdict
    assert finished.account.ingress.offered == 10_000
    assert (finished.account.outcome.stored, finished.account.outcome.dead_lettered) == (9_999, 1)

    s3, bucket = clients("s3"), deployed["EventBucketName"]
    objects = tmp_path / "objects"
    objects.mkdir()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/"):
        for number, item in enumerate(page["Contents"]):
            s3.download_file(bucket, item["Key"], str(objects / f"{number}.ndjson"))
    rows = duckdb.sql(
        "SELECT count(*), count(DISTINCT eventId), count(DISTINCT userId), "
        "count(DISTINCT (userId, timestamp, properties::TEXT)) < count(*), count(DISTINCT hourBucket) "
        f"FROM read_json('{objects}/*.ndjson', format = 'newline_delimited', union_by_name = true)"
    ).fetchall()
    real = REAL_LOG.read_text().splitlines()
    hosts = {line.split(" ", 1)[0] for line in real if line.endswith('"')}
    hours = {line.split("[", 1)[1][:14] for line in real if line.endswith('"')}
    assert rows == [(9_999, 9_999, len(hosts), True, len(hours))]


def test_up_leaves_a_stack_to_run_against_and_down_ends_it(tmp_path):
    code, output, _ = pipeproof(tmp_path, "up", "clickstream-smoke", "--port", free_port())
    assert code == 0, output
    endpoint = re.search(r"AWS_ENDPOINT_URL=(\S+)", output)[1]
    try:
        assert "  … deploying the stack of clickstream-smoke\n" in output
        assert "EventStreamName" in output
        assert open_to_others(tmp_path / ".pipeproof") == []
        assert pipeproof(tmp_path, "up", "clickstream-smoke")[0] == 64, "one at a time"
        code, output, result = pipeproof(tmp_path, "run", "clickstream-smoke", "--records", 200, "--emulator", endpoint)
        assert code == 0, output
        assert result["emulator"]["kind"] == "external"
    finally:
        code, output, _ = pipeproof(tmp_path, "down")
    assert code == 0, output
    assert leftovers(tmp_path) == []


@pytest.fixture(scope="session")
def aws_cli(tmp_path_factory):
    """A directory with the real AWS CLI of PyPI, which cannot be installed beside the botocore of the tests."""
    environment = tmp_path_factory.mktemp("aws-cli")
    for command in (["venv", "--quiet", environment], ["pip", "install", "--quiet", "--python", environment, AWS_CLI]):
        done = subprocess.run([find_uv_bin(), *command], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the AWS CLI cannot be installed here: {done.stderr.strip()[-300:]}")
    return environment / "bin"


def test_the_aws_cli_finds_the_stack_by_the_lines_that_up_prints(tmp_path, aws_cli):
    code, output, _ = pipeproof(tmp_path, "up", "clickstream-smoke", "--port", free_port())
    assert code == 0, output
    lines = [line for line in output.splitlines() if line.startswith(("  export ", "  aws() "))]
    try:
        asked = {}
        for what in ("sqs list-queues", "s3 ls", "kinesis list-streams", "stepfunctions list-state-machines"):
            script = "\n".join([*lines, f"aws {what}"])
            done = subprocess.run(
                ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60,
                env={"PATH": f"{aws_cli}:{os.environ['PATH']}", "HOME": str(tmp_path)},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            asked[what] = done.stdout
    finally:
        pipeproof(tmp_path, "down")
    assert "clickstream-smoke-DeadLetterQueue" in asked["sqs list-queues"]
    assert "clickstream-smoke-eventbucket" in asked["s3 ls"]
    assert "clickstream-smoke-EventStream" in asked["kinesis list-streams"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_one_line_loss_in_the_transform_fails_with_the_ids_and_the_command_reproduces_it(tmp_path, run):
    """Every 997th event of a batch disappears; the harness names exactly those."""
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    function = tmp_path / "pipeline" / "clickstream" / "functions" / "stream_transform.py"
    loss = "    events = [record.event for record in batch if isinstance(record.event, transforms.Accepted)]\n"
    source = function.read_text()
    assert loss in source
    function.write_text(source.replace(loss, loss + "    events = [e for e in events if sum(e.event_id.encode()) % 997]\n"))

    code, output, result = run(tmp_path, "run", "clickstream-10k", "--records", 4_000)
    assert code == 1, output
    assert result["verdict"] == "fail"
    ledger = tmp_path / "runs" / "latest" / "ledger.parquet"
    ids = [row[0] for row in duckdb.sql(f"SELECT record_id FROM '{ledger}'").fetchall()]
    dropped = sorted(i for i in ids if sum(i.encode()) % 997 == 0)
    assert dropped, "the seed must meet the loss"
    assert sorted(e["record_id"] for e in result["examples"]["lost"]) == dropped
    assert result["anomalies"]["lost"] == len(dropped)
    assert f"{len(dropped)} of 4,000 records lost" in output
    assert dropped[0] in output

    command = re.search(r"Reproduce with: pipeproof (.*)", output)[1]
    code, output, again = run(tmp_path, *command.split())
    assert code == 1, output
    assert again["examples"]["lost"] != []
    assert sorted(e["record_id"] for e in again["examples"]["lost"]) == dropped


def loading(tmp_path, *args):
    """Starts a run, and returns when its load has begun."""
    process = start(tmp_path, "run", *args)
    events = tmp_path / "runs" / "latest" / "events.jsonl"
    wait_until(lambda: events.is_file() and '"LoadProgress"' in events.read_text(), "the load to begin")
    return process


def test_the_emulator_killed_in_the_middle_is_unknown_and_named_and_nothing_is_left(tmp_path):
    process = loading(tmp_path, "clickstream-10k", "--records", 100_000)
    kill_emulator(tmp_path)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    result = latest_result(tmp_path)
    assert result["verdict"] == "unknown"
    assert f"the {KIND} emulator" in result["reasons"][0]
    assert "SIGKILL" in result["reasons"][0]
    assert set(result["anomalies"].values()) == {None}, "nobody knows: neither lost nor not"
    assert leftovers(tmp_path) == []


def listening_addresses(tmp_path):
    if KIND == "container":
        running = [c for c in containers(tmp_path) if hasattr(c, "ports")]
        return {binding["HostIp"] for one in running for bindings in one.ports.values() for binding in bindings or ()}
    found = set()
    for process in emulators(tmp_path):
        # Some of them come and go.
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {c.laddr.ip for c in process.net_connections(kind="inet") if c.status == "LISTEN"}
    return found


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_listens_on_loopback_only_and_interrupted_exits_130_and_leaves_nothing(tmp_path, sent):
    process = loading(tmp_path, "clickstream-10k", "--records", 100_000)
    listening = listening_addresses(tmp_path)
    process.send_signal(sent)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "interrupted" in output
    result = latest_result(tmp_path)
    assert (result["verdict"], result["reasons"]) == ("unknown", ["interrupted"])
    assert leftovers(tmp_path) == []
    assert listening == {"127.0.0.1"}


def test_a_run_whose_output_nobody_reads_has_its_verdict(tmp_path):
    """As in `pipeproof run … | head -1`."""
    process = start(tmp_path, "run", "clickstream-smoke", "--records", 50)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert latest_result(tmp_path)["verdict"] == "pass"
    assert leftovers(tmp_path) == []


def test_the_harness_killed_takes_its_emulator_along(tmp_path):
    process = loading(tmp_path, "clickstream-10k", "--records", 100_000)
    running = [c for c in containers(tmp_path) if hasattr(c, "status")]
    began_s = int(time.time())
    # Waited for from before the kill on: another test's start may sweep a container as soon as it has ended.
    with ThreadPoolExecutor() as pool:
        ends = [pool.submit(c.wait, timeout=60) for c in running]
        process.kill()
        process.communicate(timeout=60)
        for end in ends:
            end.result()
    if KIND == "container":
        kills = {"container": [c.id for c in running], "event": "kill"}
        assert list(connect().events(since=began_s, until=int(time.time()) + 1, filters=kills)) == [], "each ends by itself"
        sweep(connect())
        assert containers(tmp_path) == [], "the next start removes what is left of it"
    wait_until(lambda: not emulators(tmp_path), "the emulator to end with its parent")
    wait_until(lambda: leftovers(tmp_path) == [], "its directory to go")


def test_leftovers_of_a_killed_run_are_swept_at_the_next_start(tmp_path):
    from harness.emulator import work_dirs
    from harness.emulator.owner import Owner

    os.environ["PIPEPROOF_TMPDIR"] = str(tmp_path)
    try:
        old = work_dirs.create()
        work_dirs.label(old, Owner(pid=2**22 - 3, started_at_s=1.0, session=2**22 - 3))
        mine = work_dirs.create()
        assert work_dirs.sweep() == [old]
        assert not old.exists()
        assert mine.exists(), "a living owner's directory stays"
    finally:
        del os.environ["PIPEPROOF_TMPDIR"]


@pytest.mark.parametrize(
    ("scenario", "old", "new"),
    [
        ("clickstream-smoke", "stream: ${outputs.EventStreamName}", "stream: nowhere"),
        ("clickstream-api", "/v1/events", "/v1/elsewhere"),
    ],
)
def test_a_load_that_never_gets_in_is_no_pass(tmp_path, run, scenario, old, new):
    """Every record is visibly rejected, so none is lost; but nothing was tried."""
    text = (ROOT / "scenarios" / f"{scenario}.yaml").read_text().replace("../pipeline", str(ROOT / "pipeline"))
    assert old in text
    (tmp_path / "mine.yaml").write_text(text.replace(old, new))
    code, output, result = run(tmp_path, "run", "mine.yaml", "--records", 50)
    assert code == 2, output
    assert result["verdict"] == "unknown"
    assert "rejected by the first hop" in result["reasons"][0]


def test_a_dead_letter_with_other_bytes_is_corrupted_and_keeps_nothing(tmp_path, run):
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    function = tmp_path / "pipeline" / "clickstream" / "functions" / "stream_transform.py"
    source = function.read_text()
    assert "payload=record.payload,\n" in source
    function.write_text(source.replace("payload=record.payload,\n", 'payload=b"gone",\n'))
    code, output, result = run(tmp_path, "run", "clickstream-smoke", "--records", 200)
    assert code == 1, output
    assert result["anomalies"]["corrupted"] == result["anomalies"]["irrecoverable"] == 9
    assert result["outcome"]["dead_lettered"] == 0


def test_the_way_of_a_lost_record_is_told_to_its_last_hop(tmp_path, run):
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    function = tmp_path / "pipeline" / "clickstream" / "functions" / "stream_transform.py"
    source = function.read_text()
    assert source.count("for event in group\n") == 1
    function.write_text(
        source.replace("for event in group\n", 'for event in group if not print(f"skipped {group[0]}") and event is not group[0]\n')
    )
    code, output, result = run(tmp_path, "run", "clickstream-smoke", "--records", 200)
    assert code == 1, output
    example = result["examples"]["lost"][0]
    assert "StreamTransformFunction was invoked with it" in example["last"]
    assert "and succeeded after" in example["last"]
    assert "skipped" in example["log"]
    assert f"last: {example['last']}" in output
    code, output, _ = pipeproof(tmp_path, "trace", example["record_id"])
    assert code == 0, output
    assert "offered: acked as shardId-" in output
    assert "      | skipped" in output
    assert output.rstrip().endswith("seen nowhere")


def test_what_a_run_made_is_gone_with_it(tmp_path, emulator):
    account = new_account()
    args = ("--records", "50", "--emulator", emulator.endpoint, "--account", account)
    code, output, _ = pipeproof(tmp_path, "run", "clickstream-smoke", *args)
    assert code == 0, output
    assert accounts.is_unused(emulator.endpoint, account)
    clients = Clients(emulator.endpoint, account)
    assert clients("logs").describe_log_groups()["logGroups"] == []
    assert clients("cloudformation").list_stacks()["StackSummaries"] == []
    assert clients("s3").list_buckets()["Buckets"] == []
    # Again: the run itself does not tell where the emulator refuses.
    accounts.forget(emulator.endpoint, account)


def test_an_account_that_was_used_before_keeps_what_it_had(tmp_path, emulator):
    account = new_account()
    clients = Clients(emulator.endpoint, account)
    clients("sqs").create_queue(QueueName="mine")
    args = ("--records", "50", "--emulator", emulator.endpoint, "--account", account)
    code, output, _ = pipeproof(tmp_path, "run", "clickstream-smoke", *args)
    assert code == 0, output
    assert clients("sqs").get_queue_url(QueueName="mine")["QueueUrl"]
