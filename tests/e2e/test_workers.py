"""A load that several processes offer: one exact ledger, whatever becomes of them."""

import signal

import psutil
import pyarrow.parquet as pq
import pytest

from tests.conformance.functions import wait_until
from tests.e2e.commands import leftovers, pipeproof, result, start


def offered(cwd):
    """What the load is, by the ledger: without answers, which come at other times."""
    columns = ["index", "record_id", "payload_hash", "promised", "malformed", "filtered", "status"]
    return pq.read_table(cwd / "runs" / "latest" / "ledger.parquet", columns=columns).to_pylist()


def workers_of(process):
    return [one for one in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in " ".join(_command_of(one))]


def _command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        # The emulator's processes come and go: this one has ended since it was listed.
        return []


def loading(cwd):
    """A run whose workers have begun."""
    process = start(cwd, "run", "clickstream-10k", "--records", 100_000, "--workers", 3)
    events = cwd / "runs" / "latest" / "events.jsonl"
    wait_until(lambda: events.is_file() and '"LoadProgress"' in events.read_text(), "the load to begin")
    return process


@pytest.mark.parametrize(("scenario", "records", "workers"), [("clickstream-malformed", 2000, 8), ("students", 300, 3)])
def test_workers_write_one_exact_ledger(tmp_path, scenario, records, workers):
    one, many = tmp_path / "one", tmp_path / "many"
    for cwd, count in ((one, 1), (many, workers)):
        cwd.mkdir()
        code, output, _ = pipeproof(cwd, "run", scenario, "--records", records, "--workers", count)
        assert code == 0, output
    assert offered(many) == offered(one)
    assert result(many)["payload_sha256"] == result(one)["payload_sha256"]
    assert result(many)["classes"] == result(one)["classes"]
    assert [path.name for path in (many / "runs" / "latest").glob("ledger*")] == ["ledger.parquet"]
    assert f"--workers {workers}" in result(many)["command"]


def test_a_worker_that_is_killed_leaves_no_verdict(tmp_path):
    process = loading(tmp_path)
    workers_of(process)[0].send_signal(signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert "ended before it had offered its share (signal 9)" in result(tmp_path)["reasons"][0]
    assert list((tmp_path / "runs" / "latest").glob("ledger*")) == []
    assert leftovers(tmp_path) == []


def test_ctrl_c_ends_the_workers_without_a_word_of_theirs(tmp_path):
    process = loading(tmp_path)
    workers = workers_of(process)
    # As a terminal does it.
    for one in (*workers, process):
        one.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output, output
    assert workers
    assert not any(one.is_running() for one in workers)
    assert leftovers(tmp_path) == []


def test_workers_end_with_the_harness(tmp_path):
    process = loading(tmp_path)
    workers = workers_of(process)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: not any(one.is_running() for one in workers), "the workers to end")
    wait_until(lambda: not leftovers(tmp_path), "the emulator to end")


def test_a_source_that_makes_other_records_in_each_process_leaves_no_verdict(tmp_path):
    (tmp_path / "load.py").write_text(
        """
import os
from harness.api import Record, Source

class Load:
    total = 40
    def units(self):
        for number in range(40):
            yield Record(f"r{number}", f'{{"by": {os.getpid()}}}'.encode(), None)

class ByProcess(Source):
    records: int
    def open(self, context):
        return Load()
"""
    )
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}\n"
        "  Letters: {Type: AWS::SQS::Queue}\nOutputs: {StreamName: {Value: !Ref Stream}}\n"
    )
    (tmp_path / "own.yaml").write_text(
        "description: a load that is no function of its seed\nstack: {template: template.yaml}\n"
        'source: {use: "load.py:ByProcess", records: 40}\nsend: {to: kinesis, stream: "${outputs.StreamName}"}\n'
        'probes: [{kind: sqs, queue_url: "${resources.Letters}", outcome: dead_lettered}]\n'
    )
    code, output, _ = pipeproof(tmp_path, "run", "own.yaml", "--workers", 2)
    assert code == 2, output
    assert "made another load than the harness" in output
