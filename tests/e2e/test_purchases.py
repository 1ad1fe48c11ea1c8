"""Purchases: S3 Select picks rows, and each of the others is accounted for."""

from __future__ import annotations

import base64
import json

import pytest

from harness.emulator.clients import Clients
from harness.stack import deploy as stacks
from tests.e2e.commands import ROOT
from tests.e2e.conftest import new_account
from tests.e2e.files import rest, take

HEADER = "purchase_id,customer_id,item,units,amount,purchased_at\n"


@pytest.fixture(scope="module")
def deployed(emulator):
    """One stack for the files of all tests below; each looks only at what it has put there."""
    clients = Clients(emulator.endpoint, account=new_account())
    template = ROOT / "pipeline" / "purchases" / "template.yaml"
    return clients, stacks.deploy(clients, template, {"PythonRuntime": emulator.python_runtime}, "purchases-files").outputs


def put(deployed, key, *rows, header=HEADER):
    """Puts a file, and waits until the pipeline is done with it; returns its version."""
    clients, outputs = deployed
    body = (header + "".join(f"{row}\n" for row in rows)).encode()
    version = clients("s3").put_object(Bucket=outputs["PurchasesBucketName"], Key=f"uploads/{key}", Body=body)["VersionId"]
    rest(clients)
    return version


def selected(deployed, version):
    """The rows that are stored of an upload."""
    clients, outputs = deployed
    bucket, found = outputs["PurchasesBucketName"], []
    for item in clients("s3").list_objects_v2(Bucket=bucket, Prefix="selected/").get("Contents", []):
        found += map(json.loads, clients("s3").get_object(Bucket=bucket, Key=item["Key"])["Body"].iter_lines())
    return [row for row in found if row["upload"].endswith(f"@{version}")]


def test_only_what_is_more_than_the_bound_is_stored_whatever_stands_beside_it(deployed):
    clients, outputs = deployed
    rows = [
        'p1,7,"Table, ""oak""",1,100.01,2025-05-17T10:00:00Z',
        "p2,7,Chair,1,100.00,2025-05-17T10:00:00Z",
        "p3,7,Lamp,1,99.99,2025-05-17T10:00:00Z",
        "p4,7,Sofa,1,much,2025-05-17T10:00:00Z",
        "p5,7,Sofa,1",
        "p6,7,Bed,1,1000,2025-05-17T10:00:00Z",
        "#7,7,Bed,1,1000,2025-05-17T10:00:00Z",
    ]
    version = put(deployed, "bounds.csv", *rows)
    found = selected(deployed, version)
    assert [(row["purchase_id"], row["item"], row["amount"]) for row in found] == [
        ("p1", 'Table, "oak"', "100.01"),
        ("p6", "Bed", "1000"),
        ("#7", "Bed", "1000"),
    ]
    letters = [one for one in take(clients, outputs["DeadLetterQueueUrl"]) if one["shardId"].endswith(f"@{version}")]
    assert {one["sequenceNumber"]: base64.b64decode(one["payload"]).decode() for one in letters} == {"5": rows[3], "6": rows[4]}


def test_a_file_that_is_overwritten_at_once_is_selected_from_in_both_its_versions(deployed):
    clients, outputs = deployed
    row = "{},7,Bed,1,500,2025-05-17T10:00:00Z\n"
    versions = [
        clients("s3").put_object(
            Bucket=outputs["PurchasesBucketName"], Key="uploads/again.csv", Body=(HEADER + row.format(name)).encode()
        )["VersionId"]
        for name in ("first", "second")
    ]
    rest(clients)
    assert [[row["purchase_id"] for row in selected(deployed, version)] for version in versions] == [["first"], ["second"]]


def test_lines_of_json_are_stored_as_they_are(deployed):
    purchase = {
        "purchase_id": "2025-05-17", "customer_id": "007", "item": "2025-05-17T10:00:00Z", "units": 3, "amount": 100.5,
        "purchased_at": "2025-05-17T10:00:00+02:00", "more": {"a": [1, None]},
    }  # fmt: skip
    small = {**purchase, "purchase_id": "small", "amount": 100}
    version = put(deployed, "lines.json", json.dumps(purchase), json.dumps(small), header="")
    ((found),) = selected(deployed, version)
    found.pop("upload")
    assert found == purchase


@pytest.mark.parametrize(
    ("name", "header", "error"),
    [("empty.csv", "", "EmptyFile"), ("header.csv", HEADER, "HeaderOnly"), ("other.csv", "a,b\n", "WrongHeader"), ("empty.json", "", "EmptyFile")],
)  # fmt: skip
def test_what_is_no_file_of_purchases_stays_where_it_is_and_an_alert_names_it(deployed, name, header, error):
    clients, outputs = deployed
    version = put(deployed, name, header=header)
    (alert,) = [one for one in take(clients, outputs["AlertQueueUrl"]) if one["versionId"] == version]
    assert (alert["errorName"], alert["key"]) == (error, f"uploads/{name}")


@pytest.mark.parametrize("scenario", ["purchases", "purchases-json", "purchases-malformed", "purchases-faults", "purchases-chaos"])
def test_all_purchases_are_accounted_for(tmp_path, run, scenario):
    code, output, result = run(tmp_path, "run", scenario, "--seed", 3)
    assert code == 0, output
    assert not any(result["anomalies"].values())
    assert result["outcome"]["filtered"] > 100
