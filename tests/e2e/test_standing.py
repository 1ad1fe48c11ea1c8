"""Schedules that share a stack: each finds it empty, and what fails there is run again on a new one."""

from __future__ import annotations

import itertools
import json

import pytest
import yaml

from harness.accounting.verdict import Judgement
from harness.emulator.clients import Clients
from harness.emulator.external import External
from harness.emulator.shared import Shared
from harness.explore.running import Running
from harness.report.run_record import record
from harness.run import engine
from harness.run.standing import Standing
from harness.scenario.loading import load_scenario
from harness.stack import deploy as stacks
from harness.stack.resources import made_resources
from tests.e2e.conftest import new_account
from tests.e2e.swallowing import KEEP, SCENARIO, TEMPLATE, write_project

# The client tries it again.
SLOW = {"kind": "latency", "service": "s3", "operation": "PutObject", "caller": "Keep", "calls": "1", "seconds": 0.1}
DENIED = {
    "kind": "error",
    "service": "s3",
    "operation": "PutObject",
    "caller": "Keep",
    "calls": "1",
    "code": "AccessDenied",
    "status": 403,
}


@pytest.fixture
def deployed(monkeypatch):
    """The accounts in which a stack was deployed, one after the other."""
    accounts = []
    original = stacks.deploy

    def deploy(clients, *args, **kwargs):
        accounts.append(clients.account)
        return original(clients, *args, **kwargs)

    monkeypatch.setattr(engine.stacks, "deploy", deploy)
    return accounts


@pytest.fixture
def running(tmp_path, emulator):
    write_project(tmp_path)
    ends = []

    def make(scenario=SCENARIO, keep=KEEP, template=TEMPLATE):
        (tmp_path / "orders.yaml").write_text(scenario)
        (tmp_path / "template.yaml").write_text(template)
        (tmp_path / "functions" / "keep.py").write_text(keep)
        shared = Shared(External(emulator.endpoint), emulator)
        scenario = load_scenario(tmp_path / "orders.yaml")
        made = Running("orders", scenario, [shared], tmp_path / "runs", record, seed=None, records=12)
        made._accounts = itertools.count(int(new_account()) * 100)
        ends.append(made)
        return made

    yield make
    for made in ends:
        made.end()


def test_schedules_share_a_stack_that_is_empty_each_time(running, deployed, emulator):
    made = running()
    for call in range(1, 4):
        assert made.quick(({**SLOW, "calls": f"{call}"},)).judgement is Judgement.PASS
    assert len(deployed) == 1
    (bucket,) = (one.made for one in made_resources(Clients(emulator.endpoint, deployed[0])) if one.type == "AWS::S3::Bucket")
    stored = Clients(emulator.endpoint, deployed[0])("s3").list_objects_v2(Bucket=bucket)
    assert stored["KeyCount"] == 12, "those of the last schedule alone"
    made.end()
    assert not list(made_resources(Clients(emulator.endpoint, deployed[0])))


def test_what_loses_is_decided_on_a_new_stack_and_the_old_one_serves_no_more(running, deployed):
    made = running()
    assert made.quick((SLOW,)).judgement is Judgement.PASS
    tried = made.quick((DENIED,))
    assert (tried.judgement, tried.anomalies["lost"]) == (Judgement.FAIL, 1)
    assert len(deployed) == 2
    assert made.quick((SLOW,)).judgement is Judgement.PASS
    assert len(deployed) == 3


def test_a_stack_that_is_not_empty_serves_no_schedule(running, deployed, monkeypatch):
    monkeypatch.setattr(Standing, "empty", lambda *_: None)
    made = running()
    for _ in range(2):
        assert made.quick((SLOW,)).judgement is Judgement.PASS
    assert len(deployed) == 2, "the second found the records of the first"


def test_a_loss_that_a_new_stack_does_not_have_makes_the_verdict_unknown(running, deployed):
    """It stops to store once it has stored eighteen."""
    forgetful = KEEP.replace("def handler", "seen = []\n\ndef handler").replace(
        "        try:\n", "        seen.append(key)\n        if len(seen) > 18:\n            continue\n        try:\n"
    )
    made = running(keep=forgetful, template=TEMPLATE.replace("Timeout: 20", "Timeout: 20\n      ReservedConcurrentExecutions: 1"))
    first, second = (made.quick((SLOW,)) for _ in range(2))
    assert (first.judgement, second.judgement) == (Judgement.PASS, Judgement.UNKNOWN)
    assert second.reasons == (
        "on a stack that had served other schedules, and with other records: 6 of 12 records lost; not on a new one",
    )
    assert second.met, "it is not told as a schedule that met nothing"
    assert len(deployed) == 2
    assert [str(path) for path in made.failed] == [second.run_dir], "its directory is kept"


def test_a_loss_on_a_new_stack_is_one_though_another_run_survives(running, deployed):
    """The first schedule finds no stack."""
    made = running()
    assert made.quick((DENIED,)).judgement is Judgement.FAIL
    assert len(deployed) == 1, "it is decided there"


def test_records_that_come_again_each_have_a_new_stack(running, deployed, tmp_path):
    """What a function still holds in memory would be taken for them."""
    (tmp_path / "orders.ndjson").write_text("".join(json.dumps({"id": f"order-{number}"}) + "\n" for number in range(12)))
    source = {"kind": "file", "format": "ndjson", "id_field": "id", "key_field": "id", "path": "orders.ndjson"}
    document = {**yaml.safe_load(SCENARIO), "source": source}
    made = running(scenario=yaml.safe_dump(document))
    for _ in range(3):
        made.quick((SLOW,))
    assert len(set(deployed)) == len(deployed) >= 3


def test_where_a_function_changes_what_stays_each_schedule_has_a_new_stack(running, deployed):
    """A parameter stays as the last schedule has left it."""
    noting = KEEP.replace(
        "def handler(event, context):\n",
        'ssm = boto3.client("ssm")\n\ndef handler(event, context):\n'
        '    ssm.put_parameter(Name="/seen", Value="x", Type="String", Overwrite=True)\n',
    )
    statement = '{Statement: [{Effect: Allow, Action: "ssm:*", Resource: "*"}]}'
    made = running(keep=noting, template=TEMPLATE.replace("Policies: [", f"Policies: [{statement}, "))
    for _ in range(2):
        assert made.quick((SLOW,)).judgement is Judgement.PASS
    assert len(deployed) == 2


def test_what_another_stack_of_the_account_holds_stays(running, deployed, emulator):
    made = running()
    made.quick((SLOW,))
    s3 = Clients(emulator.endpoint, deployed[0])("s3")
    s3.create_bucket(Bucket=f"of-another-{deployed[0]}")
    s3.put_object(Bucket=f"of-another-{deployed[0]}", Key="kept", Body=b"1")
    assert made.quick((SLOW,)).judgement is Judgement.PASS
    made.end()
    assert s3.list_objects_v2(Bucket=f"of-another-{deployed[0]}")["KeyCount"] == 1


def test_where_a_check_looks_beside_the_stores_each_schedule_has_a_new_stack(running, deployed):
    checks = [{"kind": "alarm", "alarm": "never", "rang": False, "within_s": 0}]
    made = running(scenario=yaml.safe_dump({**yaml.safe_load(SCENARIO), "checks": checks}))
    for _ in range(2):
        made.quick((SLOW,))
    assert len(deployed) == 2


STREAM = TEMPLATE.replace(
    "Events: {Type: AWS::SQS::Queue}", "Events: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 2}}"
).replace(
    "Queue: {Type: SQS, Properties: {Queue: !GetAtt Events.Arn}}",
    "Stream: {Type: Kinesis, Properties: {Stream: !GetAtt Events.Arn, StartingPosition: TRIM_HORIZON}}",
)
LOUD = """
import base64, json, os
import boto3
from botocore.config import Config

s3 = boto3.client("s3", config=Config(retries={"total_max_attempts": 1}))

def handler(event, context):
    for record in event["Records"]:
        body = base64.b64decode(record["kinesis"]["data"])
        s3.put_object(Bucket=os.environ["BUCKET"], Key=f"orders/{json.loads(body)['id']}.json", Body=body)
"""


def test_an_outage_ends_where_a_stream_only_tries_again_what_it_never_gives_up(running):
    """Of the hour that the faults may last nothing is waited for."""
    document = {**yaml.safe_load(SCENARIO), "send": {"to": "kinesis", "stream": "${resources.Events}"}, "faults_timeout_s": 3600}
    document["source"]["key"] = "id"
    made = running(scenario=yaml.safe_dump(document), keep=LOUD, template=STREAM)
    tried = made(({**DENIED, "calls": "1-1000000000"},))
    assert (tried.judgement, tried.met) == (Judgement.PASS, True)
