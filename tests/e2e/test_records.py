"""The records: the article's own input, ids that another file has, and what becomes of files that are none."""

from __future__ import annotations

import base64
import json

import pytest

from harness.emulator.clients import Clients
from harness.stack import deploy as stacks
from pipeline.files.uploads import Upload
from tests.e2e.commands import ROOT
from tests.e2e.conftest import new_account
from tests.e2e.files import rest, take

TEMPLATE = ROOT / "pipeline" / "records" / "template.yaml"
# As in AWS's article on validating, transforming and storing with Step Functions: the second has no value.
ARTICLE = {"records": [{"id": "rec-001", "value": 42}, {"id": "rec-002"}, {"id": "rec-003", "value": 17}]}


@pytest.fixture(scope="module")
def deployed(emulator):
    """One stack for the files of all tests below."""
    clients = Clients(emulator.endpoint, account=new_account())
    parameters = {"PythonRuntime": emulator.python_runtime, "BatchSize": "2"}
    return clients, stacks.deploy(clients, TEMPLATE, parameters, "records-files").outputs


def put(deployed, key, body):
    """Puts a file, and waits until the pipeline is done with it; returns its version."""
    clients, outputs = deployed
    version = clients("s3").put_object(Bucket=outputs["DataBucketName"], Key=f"input/{key}", Body=body)["VersionId"]
    rest(clients)
    return version


def stored(deployed, version):
    clients, outputs = deployed
    found = clients("dynamodb").scan(TableName=outputs["RecordsTableName"], ConsistentRead=True)["Items"]
    return {item["id"]["S"]: item["transformed_value"]["N"] for item in found if item["upload"]["S"].endswith(f"@{version}")}


def messages(deployed, queue):
    """Takes all that there are out of a queue."""
    clients, outputs = deployed
    return take(clients, outputs[queue])


def test_of_the_articles_input_two_are_valid_and_stored_and_one_is_in_the_queue_with_the_reason(deployed):
    clients, outputs = deployed
    version = put(deployed, "article.json", json.dumps(ARTICLE))
    assert stored(deployed, version) == {"rec-001": "420", "rec-003": "170"}
    (letter,) = messages(deployed, "DeadLetterQueueUrl")
    assert json.loads(base64.b64decode(letter["payload"])) == {"id": "rec-002"}
    assert (letter["errorName"], letter["errorMessage"]) == ("InvalidRecord", "value: expected a number")
    archive = clients("s3").list_objects_v2(Bucket=outputs["DataBucketName"], Prefix="input_archive/")["Contents"]
    assert any(item["Key"].endswith("/article.json") for item in archive)


def test_a_record_whose_id_another_file_has_is_a_dead_letter_and_the_first_stays(deployed):
    first = put(deployed, "first.json", '[{"id": "same", "value": 1}, {"id": "own", "value": 2}]')
    second = put(deployed, "second.json", '[{"id": "same", "value": 3}, {"id": "other", "value": 4}]')
    assert stored(deployed, first) == {"same": "10", "own": "20"}
    assert stored(deployed, second) == {"other": "40"}
    (letter,) = messages(deployed, "DeadLetterQueueUrl")
    assert (letter["errorName"], letter["sequenceNumber"]) == ("DuplicateId", "0")


def test_a_batch_that_was_given_up_is_not_stored_by_a_later_attempt(deployed):
    clients, outputs = deployed
    version = put(deployed, "given up.json", '[{"id": "g1", "value": 1}, {"id": "g2", "value": 2}]')
    upload = Upload(outputs["DataBucketName"], "input/given up.json", version)
    functions = {f["Handler"].split(".")[-2]: f["FunctionName"] for f in clients("lambda").list_functions()["Functions"]}

    def invoke(name, **state):
        payload = json.dumps({**upload.as_state, "batch": 1, **state})
        answer = clients("lambda").invoke(FunctionName=functions[name], Payload=payload)
        return json.loads(answer["Payload"].read())

    assert invoke("store") == {"stored": 2, "refused": 0}, "storing again is the same"
    clients("dynamodb").delete_item(TableName=outputs["RecordsTableName"], Key={"id": {"S": "g1"}})
    assert invoke("give_up", error={"Error": "TableGone", "Cause": "for a while"}) == {"givenUp": 1}
    (letter,) = messages(deployed, "DeadLetterQueueUrl")
    assert (letter["errorName"], letter["sequenceNumber"]) == ("TableGone", "0")
    assert invoke("store")["errorType"] == "BatchGivenUpError"
    assert stored(deployed, version) == {"g2": "20"}


def test_a_batch_whose_express_execution_fails_or_is_gone_is_given_up(emulator):
    clients = Clients(emulator.endpoint, account=new_account())
    parameters = {"PythonRuntime": emulator.python_runtime, "BatchSize": "2", "Variant": "express"}
    deployed = clients, stacks.deploy(clients, TEMPLATE, parameters, "records-express").outputs
    client = clients("stepfunctions")
    (express,) = [one["stateMachineArn"] for one in client.list_state_machines()["stateMachines"] if one["type"] == "EXPRESS"]
    failing = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}}}
    client.update_state_machine(stateMachineArn=express, definition=json.dumps(failing))
    version = put(deployed, "failing.json", '[{"id": "f1", "value": 1}, {"id": "f2", "value": 2}, {"id": "f3", "value": 3}]')
    client.delete_state_machine(stateMachineArn=express)
    other = put(deployed, "gone.json", '[{"id": "g1", "value": 1}]')
    assert stored(deployed, version) == stored(deployed, other) == {}
    letters = messages(deployed, "DeadLetterQueueUrl")
    assert sorted(json.loads(base64.b64decode(letter["payload"]))["id"] for letter in letters) == ["f1", "f2", "f3", "g1"]
    assert {letter["errorName"] for letter in letters} == {"FAILED", "Sfn.StateMachineDoesNotExistException"}


def test_a_file_of_which_nothing_is_valid_stores_nothing_and_names_each(deployed):
    version = put(deployed, "none.json", "[1, {}, null]")
    assert stored(deployed, version) == {}
    assert sorted(letter["sequenceNumber"] for letter in messages(deployed, "DeadLetterQueueUrl")) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "EmptyFile"),
        (b"[]", "NoRecords"),
        (b"{}", "NotAList"),
        (b'[{"id": "a"', "NotJson"),
        (b" " * 5_000_000 + b"[1]", "FileTooLarge"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_list_of_records_is_set_aside_and_an_alert_names_it(deployed, body, error):
    clients, outputs = deployed
    version = put(deployed, "wrong +1.json", body)
    (alert,) = [a for a in messages(deployed, "AlertQueueUrl") if a.get("versionId") == version]
    assert (alert["errorName"], alert["key"]) == (error, "input/wrong +1.json")
    assert clients("s3").get_object(Bucket=outputs["DataBucketName"], Key=alert["keptAt"])["Body"].read() == body


@pytest.mark.parametrize(
    "scenario", ["records", "records-malformed", "records-faults", "records-parallel", "records-express", "records-outage"]
)
def test_all_records_are_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not result["anomalies"]["lost"]
    if scenario == "records-outage":
        # A part was stored before the table went, and is not told twice.
        assert result["outcome"]["stored"] >= 20
        assert result["outcome"]["dead_lettered"] >= 100
    else:
        assert not any(result["anomalies"].values())
