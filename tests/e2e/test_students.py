"""The students: both ways to read them, the notice, and what becomes of rows and files that are none."""

from __future__ import annotations

import json

import pytest

from harness.emulator.clients import Clients
from harness.stack import deploy as stacks
from tests.e2e.commands import ROOT
from tests.e2e.conftest import new_account
from tests.e2e.files import rest, take

HEADER = "student_id,name,course,grade,enrolled_on\n"


@pytest.fixture(scope="module")
def deployed(emulator):
    """One stack for the files of all tests below; each looks only at what it has put there."""
    clients = Clients(emulator.endpoint, account=new_account())
    template = ROOT / "pipeline" / "students" / "template.yaml"
    parameters = {"PythonRuntime": emulator.python_runtime, "SequentialFiles": "yes"}
    return clients, stacks.deploy(clients, template, parameters, "students-files").outputs


def put(deployed, key, *rows, header=HEADER):
    """Puts a file, and waits until the pipeline is done with it; returns its version."""
    clients, outputs = deployed
    body = (header + "".join(f"{row}\n" for row in rows)).encode()
    version = clients("s3").put_object(Bucket=outputs["IncomingBucketName"], Key=key, Body=body)["VersionId"]
    rest(clients)
    return version


def messages(deployed, queue):
    """Takes all that there are out of a queue."""
    clients, outputs = deployed
    return take(clients, outputs[queue])


def query(deployed, index, **key):
    clients, outputs = deployed
    ((name, value),) = key.items()
    answer = clients("dynamodb").query(
        TableName=outputs["StudentsTableName"], **({"IndexName": index} if index else {}),
        KeyConditionExpression="#k = :v", ExpressionAttributeNames={"#k": name}, ExpressionAttributeValues={":v": {"S": value}},
    )  # fmt: skip
    return [{name: next(iter(typed.values())) for name, typed in item.items()} for item in answer["Items"]]


def failed_rows(deployed, version):
    clients, outputs = deployed
    bucket, found = outputs["ErrorBucketName"], []
    for item in clients("s3").list_objects_v2(Bucket=bucket, Prefix="rows/").get("Contents", []):
        body = clients("s3").get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        found += [json.loads(line) for line in body.splitlines()]
    return [(row["line"], row["errorName"]) for row in found if row["upload"].endswith(f"@{version}")]


def test_students_are_read_by_student_and_by_course_and_a_notice_counts_them(deployed):
    rows = ['a1,"Ada, Countess",Algebra,A,2025-09-01', "a1,Ada,Logic,,2025-09-01", "a2,Bob,Algebra,B+,2025-09-02"]
    put(deployed, "plain.csv", *rows)
    assert {(s["course"], s["name"], s["grade"]) for s in query(deployed, None, student_id="a1")} == {
        ("Algebra", "Ada, Countess", "A"),
        ("Logic", "Ada", ""),
    }
    assert [s["student_id"] for s in query(deployed, "by-course", course="Algebra")] == ["a1", "a2"]
    # Other tests of this file leave their notices in the queue.
    (notice,) = [notice for notice in messages(deployed, "NoticeQueueUrl") if notice["key"] == "plain.csv"]
    assert (notice["rows"], notice["stored"], notice["failed"]) == (3, 3, 0)


def test_a_second_row_with_a_key_is_a_failed_row_in_the_file_and_in_another_and_the_first_stays(deployed):
    version = put(deployed, "first.csv", "d1,Dora,Logic,A,2025-09-01", "d1,Dieter,Logic,B,2025-09-02")
    assert failed_rows(deployed, version) == [(3, "DuplicateKey")]
    version = put(deployed, "second.csv", "d1,Doris,Logic,C,2025-09-03", "d2,Emil,Logic,C,2025-09-03")
    assert failed_rows(deployed, version) == [(2, "DuplicateKey")]
    assert [s["name"] for s in query(deployed, None, student_id="d1")] == ["Dora"]
    failed = [n["failed"] for n in messages(deployed, "NoticeQueueUrl") if n["key"] in {"first.csv", "second.csv"}]
    assert failed == [1, 1]


def test_the_same_file_under_the_same_key_again_stores_nothing_twice(deployed):
    put(deployed, "again.csv", "e1,Eve,Logic,A,2025-09-01")
    version = put(deployed, "again.csv", "e1,Eve,Logic,A,2025-09-01")
    assert failed_rows(deployed, version) == [(2, "DuplicateKey")]
    assert len(query(deployed, None, student_id="e1")) == 1


def test_a_key_with_spaces_and_plus_signs_is_found_and_archived(deployed):
    clients, outputs = deployed
    put(deployed, "from school +1/new ünits.csv", "f1,Finn,Logic,A,2025-09-01")
    assert len(query(deployed, None, student_id="f1")) == 1
    archived = clients("s3").list_objects_v2(Bucket=outputs["ArchiveBucketName"])["Contents"]
    uploads = [clients("s3").head_object(Bucket=outputs["ArchiveBucketName"], Key=i["Key"])["Metadata"]["upload"] for i in archived]
    assert any(upload.startswith("from%20school%20%2B1/new%20%C3%BCnits.csv@") for upload in uploads)
    assert "Contents" not in clients("s3").list_objects_v2(Bucket=outputs["IncomingBucketName"])


@pytest.mark.parametrize(
    ("name", "header", "error"),
    [
        ("empty", "", "EmptyFile"),
        ("header-only", HEADER, "HeaderOnly"),
        ("other-columns", "id,name\n", "WrongHeader"),
        ("semicolons", HEADER.replace(",", ";"), "WrongHeader"),
    ],
)
def test_what_is_no_file_of_students_is_set_aside_and_an_alert_names_it(deployed, name, header, error):
    clients, _ = deployed
    version = put(deployed, f"{name}.csv", header=header)
    (alert,) = [a for a in messages(deployed, "AlertQueueUrl") if a["versionId"] == version]
    assert (alert["errorName"], alert["key"]) == (error, f"{name}.csv")
    bucket, _, key = alert["keptAt"].partition("/")
    assert clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == header.encode()


def test_a_file_of_300_mb_is_more_than_an_invocation_can_write_and_is_set_aside(deployed, large_file):
    clients, outputs = deployed
    with large_file.open("rb") as body:
        version = clients("s3").put_object(Bucket=outputs["IncomingBucketName"], Key="large.csv", Body=body)["VersionId"]
    rest(clients)
    (alert,) = [a for a in messages(deployed, "AlertQueueUrl") if a["versionId"] == version]
    assert alert["errorName"] == "FileTooLarge"
    bucket, _, key = alert["keptAt"].partition("/")
    assert clients("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] == large_file.stat().st_size


@pytest.mark.parametrize("scenario", ["students", "students-malformed", "students-faults"])
def test_all_students_are_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
